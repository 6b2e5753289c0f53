//! How soon a subscriber has an event, and what waiting costs: `cargo run --release --example push_latency`.
//!
//! Appends one event after another to an idle store and takes the time until a subscriber has it: one in the same
//! process, which is woken, and one with a store of its own, as another process would have, which hears of it. Then it
//! counts the transactions of a process that only waits.

use std::error::Error;
use std::time::{Duration, Instant};

use clap::Parser;
use rillflow::subscriptions::{SubscriptionOptions, SubscriptionReceiver};
use rillflow::testing::TestDatabase;
use rillflow::{Event, Expected, SchemaConfig, Store};
use uuid::Uuid;

#[derive(Debug, Parser)]
#[command(about = "Takes the time from an append to its subscriber, and counts what waiting costs.")]
struct Arguments {
    /// How many events to append.
    #[arg(long, default_value_t = 500)]
    events: u32,
    /// How many seconds to wait and count.
    #[arg(long, default_value_t = 20)]
    idle: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let db = TestDatabase::create().await?;
    let (here, elsewhere) = (Store::connect(db.url()).await?, Store::connect(db.url()).await?);
    here.schema().sync(&SchemaConfig::single_tenant()).await?;
    println!("from the call of the append, in milliseconds   p50    p90    p99    most");
    let (handle, mut rx) =
        here.subscriptions().subscribe("here", Default::default(), SubscriptionOptions::default()).await?;
    measure("a subscriber in the same process", &here, &mut rx, arguments.events).await?;
    handle.shutdown().await?;
    drop(rx);
    let subscriptions = elsewhere.subscriptions();
    let (_handle, mut rx) =
        subscriptions.subscribe("elsewhere", Default::default(), SubscriptionOptions::from_now()).await?;
    measure("a subscriber elsewhere", &here, &mut rx, arguments.events).await?;
    drop(here);

    let mut all = Vec::new();
    for number in 0..5 {
        let name = format!("idle-{number}");
        all.push(subscriptions.subscribe(&name, Default::default(), SubscriptionOptions::from_now()).await?);
    }
    // a backend that rests tells its figures after ten seconds: those of the appends must not count
    tokio::time::sleep(Duration::from_secs(13)).await;
    let before = transactions(&elsewhere).await?;
    tokio::time::sleep(Duration::from_secs(arguments.idle)).await;
    let counted = transactions(&elsewhere).await? - before;
    let per_second = counted as f64 / arguments.idle as f64;
    println!("6 subscriptions that wait: {per_second:.2} transactions per second, of all of them together");
    drop(all);
    db.close().await?;
    Ok(())
}

async fn measure(what: &str, store: &Store, rx: &mut SubscriptionReceiver, events: u32) -> rillflow::Result<()> {
    let mut times = Vec::new();
    for number in 0..events + 50 {
        tokio::time::sleep(Duration::from_millis(7)).await;
        let begun = Instant::now();
        let appended =
            store.events().append_stream(Uuid::now_v7(), Expected::NoStream, [Event::new("tick", &number)]).await?;
        while rx.recv().await.is_some_and(|it| it.global_seq < appended.position()) {}
        if number >= 50 {
            times.push(begun.elapsed()); // the first warm up
        }
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!("{what:44} {:6.2} {:6.2} {:6.2} {:6.2}", at(0.5), at(0.9), at(0.99), at(1.0));
    Ok(())
}

/// How many transactions the database has seen, told by the server; the question itself is left out.
async fn transactions(store: &Store) -> Result<i64, Box<dyn Error>> {
    // a backend tells its figures at most once a second
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let count = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    Ok(sqlx::query_scalar(count).fetch_one(store.pool()).await?)
}
