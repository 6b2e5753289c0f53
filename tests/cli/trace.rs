use rillflow::{AppendOptions, Event, Expected};
use uuid::Uuid;

use crate::kit::{Cli, TestResult};

#[tokio::test]
async fn a_correlation_id_is_a_table_json_or_a_diagram() -> TestResult {
    let cli = Cli::new().await?;
    let (order, trace) = (Uuid::now_v7(), Uuid::now_v7());
    let options = AppendOptions::default().correlation_id(trace);
    cli.store.events().append_with(order, Expected::Any, [Event::new("placed", &1)], &options).await?;
    let cause = cli.store.events().read_stream(order).await?[0].event_id;
    let options = AppendOptions::default().correlation_id(trace).causation_id(cause);
    cli.store.events().append_with(Uuid::now_v7(), Expected::Any, [Event::new("invoiced", &2)], &options).await?;

    let trace = trace.to_string();
    let table = cli.stock(&["trace", &trace]).ok();
    assert!(table.contains("placed") && table.contains(&cause.to_string()), "{table}");
    let diagram = cli.stock(&["trace", &trace, "--mermaid", "--since", "1h"]).ok();
    assert!(diagram.starts_with("sequenceDiagram\n") && diagram.contains("p1->>p2: invoiced"), "{diagram}");
    let json = cli.json(&["trace", &trace]);
    assert_eq!(
        (json["events"][1]["causation_id"].as_str(), json["mermaid"].as_str()),
        (Some(cause.to_string().as_str()), Some(diagram.as_str()))
    );
    let nobody = cli.stock(&["trace", &Uuid::nil().to_string()]).ok();
    assert_eq!(nobody, "No events have this correlation id.\n");
    assert_eq!(cli.stock(&["trace", "not-an-id"]).code, Some(2));
    Ok(())
}
