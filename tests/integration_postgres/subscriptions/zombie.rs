use std::time::Instant;

use rillflow::subscriptions::SubscriptionOptions;
use rillflow::{Error, Expected, Store};
use uuid::Uuid;

use super::{manual, short, subscribe, take, until};
use crate::faults::{Process, say, wait_for_word};
use crate::support::{Db, TestResult, store_with, tick};

const URL: &str = "RILLFLOW_TEST_ZOMBIE_OF";
const WHERE: &str = "RILLFLOW_TEST_ZOMBIE_STANDS";
const EFFECT: &str = "INSERT INTO effects (position, number, by) VALUES ($1, $2::text::bigint, $3)";

fn options() -> SubscriptionOptions {
    short(manual())
}

/// A process that owns the subscription, and stands still in a transaction with an effect in it.
fn start_zombie(db: &Db, stands: &str) -> Result<Process, Box<dyn std::error::Error>> {
    Process::start("subscriptions::zombie::this_is_the_zombie_process", &[(URL, db.url()), (WHERE, stands)])
}

#[test]
fn this_is_the_zombie_process() {
    let (Ok(url), Ok(stands)) = (std::env::var(URL), std::env::var(WHERE)) else { return }; // an ordinary test run
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(stand(&url, &stands)).expect("the zombie works");
}

/// Does the first event up to where it is to stand; says what came of it once it may go on.
async fn stand(url: &str, stands: &str) -> TestResult {
    let store = Store::builder(url).max_connections(4).build().await?;
    let (handle, mut rx) = subscribe(&store, "faults", options()).await?;
    let event = take(&mut rx, 1).await.remove(0);
    let mut tx = store.pool().begin().await?;
    let effect = sqlx::query(EFFECT).bind(event.global_seq).bind(event.body.to_string());
    effect.bind("zombie").execute(&mut *tx).await?;
    if stands == "after" {
        handle.ack_in_tx(&mut tx, event.global_seq).await?;
    }
    say("inside");
    wait_for_word().await?;
    let acked = if stands == "before" { handle.ack_in_tx(&mut tx, event.global_seq).await } else { Ok(()) };
    let committed = tx.commit().await;
    say(if acked.is_ok() && committed.is_ok() { "done" } else { "refused" });
    std::future::pending().await
}

/// Waits until every event has its effect, and compares all rows with the log. What the zombie did, others did not.
async fn assert_done(store: &Store) -> TestResult {
    let events = store.events().read_all(0, 1000).await?;
    let log: Vec<(i64, i64)> =
        events.iter().map(|it| Ok((it.global_seq, it.body.parse::<i64>()?))).collect::<rillflow::Result<_>>()?;
    let count = "SELECT count(*) >= $1 FROM effects";
    until("every effect", || async {
        Ok(sqlx::query_scalar(count).bind(log.len() as i64).fetch_one(store.pool()).await?)
    })
    .await?;
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("SELECT position, number FROM effects ORDER BY id").fetch_all(store.pool()).await?;
    assert_eq!(rows, log, "each effect once, in the order of the log");
    let zombies = "SELECT count(*) FROM effects WHERE by = 'zombie'";
    assert_eq!(sqlx::query_scalar::<_, i64>(zombies).fetch_one(store.pool()).await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_stands_still_within_its_transaction_for_three_leases_commits_nothing() -> TestResult {
    for stands in ["before", "after"] {
        let (db, store) = store_with(|it| it.max_connections(8)).await?;
        let effects = "CREATE TABLE effects (id bigserial, position bigint, number bigint, by text)";
        sqlx::query(effects).execute(store.pool()).await?;
        let stream = Uuid::now_v7();
        for number in 0..5 {
            store.events().append_stream(stream, Expected::Any, [tick(number)]).await?;
        }
        let mut zombie = start_zombie(&db, stands)?;
        assert_eq!(zombie.hear()?, "inside");
        zombie.signal("-STOP")?;
        let stopped = Instant::now();

        let (handle, mut rx) = subscribe(&store, "faults", options()).await?;
        let heir = store.clone();
        let work = tokio::spawn(async move {
            while let Some(event) = rx.recv().await {
                let mut tx = heir.pool().begin().await?;
                let effect = sqlx::query(EFFECT).bind(event.global_seq).bind(event.body.to_string());
                effect.bind("heir").execute(&mut *tx).await?;
                match handle.ack_in_tx(&mut tx, event.global_seq).await {
                    Ok(()) => tx.commit().await?,
                    // a busy machine was too slow for its lease: the event comes again
                    Err(Error::SubscriptionLost { .. } | Error::NotDelivered { .. }) => tx.rollback().await?,
                    Err(other) => return Err(other),
                }
            }
            Ok::<_, Error>(())
        });
        assert_done(&store).await?;
        println!("stands {stands} its acknowledgement: taken over {:?} after SIGSTOP", stopped.elapsed());
        // it comes back long after its lease has run out
        tokio::time::sleep((3 * options().lease_ttl).saturating_sub(stopped.elapsed())).await;
        zombie.signal("-CONT")?;
        zombie.give_word()?;
        assert_eq!(zombie.hear()?, "refused");
        store.events().append_stream(stream, Expected::Any, [tick(5)]).await?;
        assert_done(&store).await?;
        drop(zombie);
        assert!(!work.is_finished(), "the heir goes on");
        work.abort();
    }
    Ok(())
}
