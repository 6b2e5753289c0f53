use rillflow::Expected;
use uuid::Uuid;

use crate::domain::{Counter, CounterEvent, Inc};
use crate::kit::{Cli, TestResult};

async fn with_counters() -> Result<Cli, Box<dyn std::error::Error>> {
    let cli = Cli::new().await?;
    for _ in 0..3 {
        let events = (0..5).map(|by| CounterEvent::Inc(Inc { by })).collect();
        cli.store.aggregate::<Counter>(Uuid::now_v7()).append(Expected::NoStream, events).await?;
    }
    Ok(cli)
}

async fn snapshots(cli: &Cli) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT count(*) FROM snapshots").fetch_one(cli.store.pool()).await
}

#[tokio::test]
async fn the_stock_binary_says_that_it_knows_no_aggregate() -> TestResult {
    let cli = with_counters().await?;
    let said = cli.stock(&["snapshots", "compact-once", "--threshold", "2", "--batch", "2"]).ok();
    assert!(said.contains("No aggregate is known here") && said.contains("rillflow::cli::App"), "{said}");
    assert_eq!(snapshots(&cli).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_mounted_command_line_compacts_a_batch_or_all() -> TestResult {
    let cli = with_counters().await?;
    let once = cli.mounted(&["snapshots", "compact-once", "--threshold", "2", "--batch", "2"]).ok();
    assert_eq!((once.as_str(), snapshots(&cli).await?), ("Counter: 2 streams compacted\n", 2));
    let rest = cli.mounted(&["snapshots", "run-until-idle", "--threshold", "2", "--json"]).json();
    assert_eq!((&rest[0]["compacted"], snapshots(&cli).await?), (&1.into(), 3));
    let unknown = cli.mounted(&["snapshots", "run-until-idle", "--aggregate", "Order"]).failed(1);
    assert!(unknown.contains("no aggregate `Order`"), "{unknown}");
    Ok(())
}
