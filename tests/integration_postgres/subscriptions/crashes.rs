use std::time::Duration;

use rillflow::subscriptions::{SubscriptionHandle, SubscriptionOptions};
use rillflow::{EventEnvelope, Expected, Store};
use sqlx::PgPool;
use uuid::Uuid;

use super::{manual, nothing_more, positions, short, subscribe, take, ticks, until};
use crate::faults::Process;
use crate::support::{Db, TestResult, store, store_with, tick};

const URL: &str = "RILLFLOW_TEST_VICTIM_OF";
const MOST: i32 = 3;
/// What no handler here survives.
const POISON: &str = "666";

fn options() -> SubscriptionOptions {
    short(SubscriptionOptions { max_attempts: MOST, partitions: 2, ..Default::default() }.group("workers"))
}

/// Several streams in both partitions; one event in the middle of one of them is not survived.
async fn log(store: &Store) -> Result<i64, Box<dyn std::error::Error>> {
    sqlx::query("CREATE TABLE effects (position bigint, attempt bigserial)").execute(store.pool()).await?;
    let streams: Vec<_> = (0..6).map(|_| Uuid::now_v7()).collect();
    let mut poison = 0;
    for number in 0..5 {
        for (at, stream) in streams.iter().enumerate() {
            let event = tick(if (number, at) == (2, 3) { 666 } else { number });
            let appended = store.events().append_stream(*stream, Expected::Any, [event]).await?.position();
            poison = if (number, at) == (2, 3) { appended } else { poison };
        }
    }
    Ok(poison)
}

async fn take_effect(pool: &PgPool, event: &EventEnvelope) -> sqlx::Result<()> {
    let effect = "INSERT INTO effects (position) VALUES ($1)";
    sqlx::query(effect).bind(event.global_seq).execute(pool).await.map(drop)
}

/// Every event but one has its effect, each stream's in order; that one is the only dead letter.
async fn assert_all_but(store: &Store, poison: i64, tried: i32) -> TestResult {
    let letters = store.subscriptions().dead_letters("crash", Some("workers"), 10).await?;
    let [letter] = &letters[..] else { return Err(format!("{letters:?}").into()) };
    assert_eq!((letter.position, letter.attempts), (poison, tried));
    assert!(letter.error.as_deref().is_some_and(|it| it.contains("process ended")), "{letter:?}");
    let first = "SELECT position FROM (SELECT position, min(attempt) AS first FROM effects GROUP BY 1) AS it \
                 JOIN events ON global_seq = position ORDER BY stream_id, first";
    let seen: Vec<i64> = sqlx::query_scalar(first).fetch_all(store.pool()).await?;
    let log = "SELECT global_seq FROM events WHERE global_seq <> $1 ORDER BY stream_id, stream_seq";
    let log: Vec<i64> = sqlx::query_scalar(log).bind(poison).fetch_all(store.pool()).await?;
    assert_eq!(seen, log);
    Ok(())
}

async fn nothing_is_left(store: &Store) -> rillflow::Result<bool> {
    let status = store.subscriptions().group_status("crash", "workers").await?;
    Ok(status.is_some_and(|it| it.lag == 0 && it.retries == 0))
}

#[test]
fn this_is_the_victim_process() {
    let Ok(url) = std::env::var(URL) else { return }; // an ordinary test run
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let worked: TestResult = runtime.expect("a runtime").block_on(async {
        let store = Store::builder(&url).max_connections(4).build().await?;
        let (_handle, mut rx) = subscribe(&store, "crash", options()).await?;
        while let Some(event) = rx.recv().await {
            if event.body.as_str() == POISON {
                std::process::abort();
            }
            take_effect(store.pool(), &event).await?;
        }
        Ok(())
    });
    worked.expect("the victim works");
}

fn start_victim(db: &Db) -> Result<Process, Box<dyn std::error::Error>> {
    Process::start("subscriptions::crashes::this_is_the_victim_process", &[(URL, db.url())])
}

#[tokio::test]
async fn an_event_that_ends_its_process_each_time_becomes_a_dead_letter_and_the_others_are_done() -> TestResult {
    let (db, store) = store_with(|it| it.max_connections(4)).await?;
    let poison = log(&store).await?;
    let mut ended = 0;
    let mut victim = start_victim(&db)?;
    until("nothing is left", async || {
        if victim.has_ended().expect("its state") {
            ended += 1;
            victim = start_victim(&db).expect("another one");
        }
        nothing_is_left(&store).await
    })
    .await?;
    drop(victim);
    println!("{ended} processes ended, {MOST} attempts allowed");
    assert_eq!(ended, MOST);
    assert_all_but(&store, poison, MOST).await
}

/// A handler that panics when it meets the event; true: it did.
async fn panics_at_poison(store: &Store) -> rillflow::Result<bool> {
    let (handle, mut rx) = subscribe(store, "crash", options()).await?;
    let pool = store.pool().clone();
    let mut work = tokio::spawn(async move {
        while let Some(event) = rx.recv().await {
            assert!(event.body.as_str() != POISON, "the handler panics");
            take_effect(&pool, &event).await.expect("an effect");
        }
    });
    let panicked = tokio::select! {
        ended = &mut work => ended.is_err(),
        done = until("nothing is left", async || nothing_is_left(store).await) => done.map(|()| false)?,
    };
    handle.shutdown().await?;
    Ok(panicked)
}

#[tokio::test]
async fn an_event_that_its_handler_never_survives_becomes_a_dead_letter_and_the_others_are_done() -> TestResult {
    let (_db, store) = store().await?;
    let poison = log(&store).await?;
    let mut panics = 0;
    while panics_at_poison(&store).await? {
        panics += 1;
    }
    println!("{panics} panics, {MOST} attempts allowed");
    assert_eq!(panics, MOST);
    assert_all_but(&store, poison, MOST).await
}

/// Takes one event and is gone with it, without a word.
async fn vanish_with(store: &Store, expected: i64) -> TestResult {
    let (handle, mut rx) = subscribe(store, "retried", SubscriptionOptions { max_attempts: 4, ..manual() }).await?;
    assert_eq!(positions(&take(&mut rx, 1).await), [expected]);
    drop(rx);
    Ok(handle.shutdown().await?)
}

async fn attempts(store: &Store) -> sqlx::Result<Vec<(i64, i32)>> {
    let kept = "SELECT position, attempts FROM subscription_retries ORDER BY position";
    sqlx::query_as(kept).fetch_all(store.pool()).await
}

#[tokio::test]
async fn an_event_that_was_refused_and_then_ends_its_handlers_counts_each_time() -> TestResult {
    let (_db, store) = store().await?;
    let appended = ticks(&store, Uuid::now_v7(), 0..2).await?;
    let options = SubscriptionOptions { max_attempts: 4, ..manual() };
    let (handle, mut rx) = subscribe(&store, "retried", options.clone()).await?;
    take(&mut rx, 1).await;
    handle.nack(appended[0], Duration::ZERO, "not now").await?;
    handle.shutdown().await?;
    vanish_with(&store, appended[0]).await?;
    vanish_with(&store, appended[0]).await?;
    vanish_with(&store, appended[0]).await?;
    let (_handle, mut rx): (SubscriptionHandle, _) = subscribe(&store, "retried", options).await?;
    assert_eq!(positions(&take(&mut rx, 1).await), appended[1..], "what waited behind it goes on");
    let letters = store.subscriptions().dead_letters("retried", None, 10).await?;
    assert_eq!((letters.len(), letters[0].position, letters[0].attempts), (1, appended[0], 4));
    Ok(())
}

#[tokio::test]
async fn what_is_given_back_in_order_is_not_counted() -> TestResult {
    let (_db, store) = store().await?;
    let appended = ticks(&store, Uuid::now_v7(), 0..3).await?;
    let options = SubscriptionOptions { max_attempts: 2, ..manual() };
    for _ in 0..5 {
        let (handle, mut rx) = subscribe(&store, "deploys", options.clone()).await?;
        assert_eq!(positions(&take(&mut rx, 3).await), appended);
        nothing_more(&mut rx).await;
        handle.shutdown().await?;
        assert!(rx.recv().await.is_none());
    }
    assert!(attempts(&store).await?.is_empty());
    assert!(store.subscriptions().dead_letters("deploys", None, 10).await?.is_empty());
    Ok(())
}
