use rillflow::{Event, Expected};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use uuid::Uuid;

use crate::kit::{Cli, TestResult, stock};

#[tokio::test]
async fn resolve_gives_the_same_id_each_time() -> TestResult {
    let cli = Cli::new().await?;
    let id = cli.stock(&["streams", "resolve", "orders:42"]).ok();
    assert!(Uuid::parse_str(id.trim()).is_ok(), "{id}");
    assert_eq!(cli.json(&["streams", "resolve", "orders:42"])["stream_id"], id.trim());
    assert_eq!(cli.store.resolve_stream_alias("orders:42").await?.to_string(), id.trim());
    Ok(())
}

#[tokio::test]
async fn a_stream_is_shown_by_id_and_by_alias() -> TestResult {
    let cli = Cli::new().await?;
    let id = cli.store.resolve_stream_alias("orders:42").await?;
    cli.store
        .events()
        .append_stream(id, Expected::NoStream, [Event::new("placed", &1), Event::new("paid", &2)])
        .await?;
    for stream in [id.to_string().as_str(), "orders:42"] {
        let shown = cli.json(&["streams", "show", stream]);
        assert_eq!((&shown["version"], &shown["stream_id"]), (&2.into(), &id.to_string().into()));
    }
    let events = cli.json(&["streams", "events", "orders:42", "--backwards", "--limit", "1"]);
    assert_eq!(events.as_array().map(Vec::len), Some(1));
    assert_eq!((&events[0]["type"], &events[0]["data"]), (&"paid".into(), &2.into()));
    let table = cli.stock(&["streams", "events", "orders:42", "--body"]).ok();
    assert!(table.contains("placed") && table.contains("payload"), "{table}");
    Ok(())
}

#[tokio::test]
async fn archive_and_restore_close_and_open_a_stream() -> TestResult {
    let cli = Cli::new().await?;
    let id = Uuid::now_v7();
    cli.store.events().append_stream(id, Expected::NoStream, [Event::new("placed", &1)]).await?;
    assert!(cli.stock(&["streams", "archive", &id.to_string()]).ok().contains("archived"));
    let refused = cli.store.events().append_stream(id, Expected::Any, [Event::new("paid", &2)]).await;
    assert!(matches!(refused, Err(rillflow::Error::StreamArchived { .. })));
    assert_eq!(cli.json(&["streams", "restore", &id.to_string()])["archived_at"], serde_json::Value::Null);
    cli.store.events().append_stream(id, Expected::Any, [Event::new("paid", &2)]).await?;
    Ok(())
}

#[tokio::test]
async fn delete_asks_first() -> TestResult {
    let cli = Cli::new().await?;
    let id = Uuid::now_v7();
    cli.store.events().append_stream(id, Expected::NoStream, [Event::new("placed", &1)]).await?;
    assert!(cli.stock(&["streams", "delete", &id.to_string()]).failed(2).contains("--yes"));
    assert!(cli.store.events().stream_exists(id).await?);
    cli.stock(&["streams", "delete", &id.to_string(), "--yes"]).ok();
    assert!(!cli.store.events().stream_exists(id).await?);
    Ok(())
}

#[tokio::test]
async fn tail_prints_one_event_a_line_in_the_global_order() -> TestResult {
    let cli = Cli::new().await?;
    for n in 0..5 {
        let event = Event::new(if n % 2 == 0 { "even" } else { "odd" }, &n);
        cli.store.events().append_stream(Uuid::now_v7(), Expected::NoStream, [event]).await?;
    }
    let lines = cli.stock(&["events", "tail", "--after", "0", "--json"]).ok();
    let seen: Vec<serde_json::Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(seen.iter().map(|it| it["data"].as_i64()).collect::<Vec<_>>(), (0..5).map(Some).collect::<Vec<_>>());
    let odd = cli.stock(&["events", "tail", "--event-type", "odd", "--limit", "1", "--body"]).ok();
    assert!(odd.lines().count() == 1 && odd.trim_end().ends_with("odd  1"), "{odd}");
    Ok(())
}

#[tokio::test]
async fn tail_follows_what_is_appended() -> TestResult {
    let cli = Cli::new().await?;
    let mut command = stock();
    command.args(["events", "tail", "--follow", "--limit", "2"]).env("DATABASE_URL", cli.db.url());
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    for name in ["first", "second"] {
        cli.store.events().append_stream(Uuid::now_v7(), Expected::NoStream, [Event::new(name, &())]).await?;
        let line = lines.next().ok_or("it ended")??;
        assert!(line.ends_with(name), "{line}");
    }
    assert!(child.wait()?.success());
    Ok(())
}

#[tokio::test]
async fn a_reader_that_has_enough_is_no_failure() -> TestResult {
    let cli = Cli::new().await?;
    // more than a pipe holds, so that the writer meets the closed end
    let big = "x".repeat(1000);
    let events = (0..400).map(|_| Event::new("big", &big));
    cli.store.events().append_stream(Uuid::now_v7(), Expected::NoStream, events).await?;
    let mut command = stock();
    command.args(["events", "tail", "--after", "0", "--body"]).env("DATABASE_URL", cli.db.url());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut first = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut first)?;
    let ended = child.wait_with_output()?;
    assert!(first.contains("big"));
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
    Ok(())
}
