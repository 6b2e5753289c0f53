use rillflow::subscriptions::{SubscriptionFilter, SubscriptionOptions};
use rillflow::{Event, Expected};
use uuid::Uuid;

use crate::domain::{Counter, CounterEvent, Inc};
use crate::kit::{Cli, TestResult, shell};

/// The command lines that the first readme had, in its order and to the letter.
const LINES: &str = include_str!("seed_commands.txt");

#[tokio::test]
async fn every_command_line_of_the_first_readme_works_as_it_was_written() -> TestResult {
    let cli = Cli::empty().await?;
    assert_eq!(LINES.lines().count(), 25);
    for line in LINES.lines() {
        let (_cargo, args) = line.split_once(" -- ").ok_or(line)?;
        prepare(&cli, args).await?;
        let ended = shell(args, cli.db.url());
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{line}: {ended:#?}");
        assert!(!ended.stdout.is_empty(), "{line} says nothing");
    }
    Ok(())
}

/// What the readme's reader has by then: an application that runs, ten events, a letter of this number.
async fn prepare(cli: &Cli, args: &str) -> TestResult {
    let words: Vec<_> = args.split_whitespace().take(3).collect();
    match words[..] {
        ["projections", "list", ..] => application(cli).await,
        ["projections", "dlq-requeue", _] => {
            let stream = dead_letter(cli).await?;
            // what stood in its way is gone
            count(cli, stream, 5).await
        }
        ["projections", "dlq-delete", _] => dead_letter(cli).await.map(|_| ()),
        ["subscriptions", "tail", "orders"] => {
            let (all, options) = (SubscriptionFilter::default(), SubscriptionOptions::default());
            Ok(cli.store.subscriptions().create_or_update("orders", &all, &options).await?)
        }
        _ => Ok(()),
    }
}

async fn application(cli: &Cli) -> TestResult {
    let pings = (0..10).map(|n| Event::new("Ping", &n));
    cli.store.events().append_stream(Uuid::now_v7(), Expected::NoStream, pings).await?;
    count(cli, Uuid::now_v7(), 5).await
}

async fn count(cli: &Cli, stream: Uuid, by: i64) -> TestResult {
    cli.store.aggregate::<Counter>(stream).append(Expected::Any, vec![CounterEvent::Inc(Inc { by })]).await?;
    cli.store.projections().run_until_idle(None).await?;
    Ok(())
}

/// Makes a letter numbered 123, as it is in the readme. The stream of its event.
async fn dead_letter(cli: &Cli) -> Result<Uuid, Box<dyn std::error::Error>> {
    sqlx::raw_sql("ALTER TABLE dead_letters ALTER COLUMN id RESTART WITH 123").execute(cli.store.pool()).await?;
    let stream = Uuid::now_v7();
    count(cli, stream, -1).await?;
    Ok(stream)
}
