use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rillflow::subscriptions::{SubscriptionFilter, SubscriptionOptions};
use rillflow::{Event, Expected};
use serde_json::Value;
use uuid::Uuid;

use crate::kit::{Cli, TestResult, stock};

async fn append(cli: &Cli, names: &[&'static str]) -> rillflow::Result<()> {
    let events = names.iter().zip(1..).map(|(name, n)| Event::new(*name, &n));
    cli.store.events().append_stream(Uuid::now_v7(), Expected::NoStream, events).await?;
    Ok(())
}

/// How far the furthest partition of a group is: those without events may not have moved yet.
fn furthest(group: &Value) -> Option<i64> {
    group["partitions"].as_array()?.iter().filter_map(|it| it["position"].as_i64()).max()
}

/// A dead letter of subscription `pings`, by its number.
async fn given_up(cli: &Cli) -> Result<String, Box<dyn std::error::Error>> {
    let filter = SubscriptionFilter::default().types(["ping"]);
    let options = SubscriptionOptions::default().manual();
    let (handle, mut events) = cli.store.subscriptions().subscribe("pings", filter, options).await?;
    let event = events.recv().await.ok_or("no event")?;
    handle.dead_letter(event.global_seq, "nobody answers").await?;
    handle.shutdown().await?;
    Ok(cli.json(&["subscriptions", "dlq-list", "pings"])[0]["id"].to_string())
}

#[tokio::test]
async fn tail_prints_what_the_filter_lets_pass_and_goes_on_after_it() -> TestResult {
    let cli = Cli::new().await?;
    append(&cli, &["ping", "pong", "ping", "ping"]).await?;
    let create = ["subscriptions", "create", "pings", "--event-type", "ping", "--start-from", "1"];
    assert_eq!(cli.stock(&create).ok(), "pings begins after position 1\n");
    let seen = cli.stock(&["subscriptions", "tail", "pings", "--limit", "1", "--json"]).json();
    assert_eq!((&seen["global_seq"], &seen["type"]), (&3.into(), &"ping".into()));
    let seen = cli.stock(&["subscriptions", "tail", "pings", "--limit", "1", "--body"]).ok();
    assert!(seen.trim_start().starts_with("4 ") && seen.ends_with("ping  4\n"), "{seen}");
    assert_eq!(cli.json(&["subscriptions", "status", "pings"])[0]["position"], 4);
    Ok(())
}

#[tokio::test]
async fn a_tail_that_is_told_to_stop_leaves_its_group_at_once() -> TestResult {
    let cli = Cli::new().await?;
    append(&cli, &["placed"]).await?;
    cli.stock(&["subscriptions", "create", "orders"]).ok();
    let mut command = stock();
    command.args(["subscriptions", "tail", "orders", "--group", "a"]).env("DATABASE_URL", cli.db.url());
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    assert!(line.trim_end().ends_with("placed"), "{line}");
    let status = cli.json(&["subscriptions", "group-status", "orders", "--group", "a"]);
    assert_eq!(status["members"].as_array().map(Vec::len), Some(1), "{status}");
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?.success());
    assert!(child.wait()?.success());
    let status = cli.stock(&["subscriptions", "group-status", "orders", "--group", "a"]).ok();
    assert!(status.contains("No member is alive."), "{status}");
    Ok(())
}

#[tokio::test]
async fn groups_are_listed_each_with_its_place() -> TestResult {
    let cli = Cli::new().await?;
    append(&cli, &["placed", "paid"]).await?;
    cli.stock(&["subscriptions", "create", "orders"]).ok();
    assert_eq!(cli.stock(&["subscriptions", "groups", "orders"]).ok(), "Nobody has subscribed yet.\n");
    cli.stock(&["subscriptions", "tail", "orders", "--group", "workers-a", "--limit", "2"]).ok();
    cli.stock(&["subscriptions", "tail", "orders", "--limit", "1"]).ok();
    let groups = cli.json(&["subscriptions", "groups", "orders"]);
    assert_eq!((&groups[0]["group"], &groups[1]["group"]), (&Value::Null, &"workers-a".into()), "{groups}");
    assert_eq!((furthest(&groups[0]), furthest(&groups[1])), (Some(1), Some(2)), "{groups}");
    let status = cli.stock(&["subscriptions", "group-status", "orders", "--group", "workers-a"]).ok();
    assert!(status.contains("group         workers-a") && status.contains("No member is alive."), "{status}");
    let list = cli.json(&["subscriptions", "list"]);
    assert_eq!((&list[0]["name"], &list[0]["start_position"]), (&"orders".into(), &0.into()));
    Ok(())
}

#[tokio::test]
async fn pause_resume_and_reset_reach_one_group_or_all() -> TestResult {
    let cli = Cli::new().await?;
    append(&cli, &["placed", "paid"]).await?;
    cli.stock(&["subscriptions", "create", "orders"]).ok();
    for group in ["a", "b"] {
        cli.stock(&["subscriptions", "tail", "orders", "--group", group, "--limit", "2"]).ok();
    }
    let paused = cli.json(&["subscriptions", "pause", "orders", "--group", "b"]);
    assert_eq!((&paused[0]["status"], &paused[1]["status"]), (&"running".into(), &"paused".into()));
    assert_eq!(cli.json(&["subscriptions", "resume", "orders"])[1]["status"], "running");
    let reset = cli.json(&["subscriptions", "reset", "orders", "1", "--group", "a"]);
    assert_eq!((furthest(&reset[0]), furthest(&reset[1])), (Some(1), Some(2)), "{reset}");
    Ok(())
}

#[tokio::test]
async fn dead_letters_are_listed_requeued_and_given_up() -> TestResult {
    let cli = Cli::new().await?;
    append(&cli, &["ping"]).await?;
    let id = given_up(&cli).await?;
    let listed = cli.stock(&["subscriptions", "dlq-list", "pings"]).ok();
    assert!(listed.contains("nobody answers"), "{listed}");
    assert_eq!(cli.stock(&["subscriptions", "dlq-requeue", "pings", "--id", &id]).ok(), "1 dead letter requeued\n");
    let id = given_up(&cli).await?;
    assert_eq!(cli.stock(&["subscriptions", "dlq-delete", "pings", "--id", &id]).ok(), "1 dead letter deleted\n");
    assert!(
        cli.stock(&["subscriptions", "dlq-delete", "pings", "--id", &id]).failed(1).contains("no such dead letter")
    );
    assert_eq!(cli.stock(&["subscriptions", "dlq-list", "pings"]).ok(), "No dead letters.\n");
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_is_named_and_delete_asks() -> TestResult {
    let cli = Cli::new().await?;
    for args in [&["status"][..], &["tail"], &["pause"], &["dlq-list"], &["delete", "--yes"]] {
        let said = cli.stock(&[&["subscriptions"], args, &["orders"]].concat()).failed(1);
        assert!(said.contains("there is no subscription `orders`") && said.contains("subscriptions create"), "{said}");
    }
    assert_eq!(cli.stock(&["subscriptions", "list"]).ok(), "No subscriptions.\n");
    cli.stock(&["subscriptions", "create", "orders"]).ok();
    assert!(cli.stock(&["subscriptions", "reset", "orders", "0"]).failed(1).contains("nobody has subscribed"));
    let said = cli.stock(&["subscriptions", "group-status", "orders", "--group", "x"]).failed(1);
    assert!(said.contains("no group `x`"), "{said}");
    assert!(cli.stock(&["subscriptions", "delete", "orders"]).failed(2).contains("say --yes"));
    assert_eq!(cli.stock(&["subscriptions", "delete", "orders", "--yes"]).ok(), "deleted orders\n");
    assert_eq!(cli.store.subscriptions().get("orders").await?.map(|it| it.name), None);
    Ok(())
}
