use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rillflow::Lifecycle::{Async, Inline};
use rillflow::{DaemonConfig, Document, Error, EventEnvelope, Expected, Store, projection};
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::orders::{Cancelled, CustomerId, OrderEvent, Placed, SalesProjection, Shipped, placed};
use crate::support::{SOON, TestResult, store_with, until};

const NAME: &str = "order-journals";

/// Every event of an order, in order: a double, a missing and a misplaced one show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "order_journals", index(total))]
struct Journal {
    #[document(id)]
    id: Uuid,
    total: i64,
    positions: Vec<i64>,
}

struct Journals;

#[projection(name = "order-journals", events = OrderEvent, document = Journal, key = stream, shards = 4,
    on_failure = park, ignore(Shipped, Cancelled))]
impl Journals {
    fn on_placed(doc: &mut Journal, e: &Placed, at: &EventEnvelope) -> Result<(), String> {
        doc.total = doc.total.checked_add(e.total).ok_or("more than can be counted")?;
        doc.positions.push(at.global_seq);
        Ok(())
    }
}

crate::layouts::declared!(Journal);

/// The next version counts cents, and begins as two shards.
mod next {
    use super::{Cancelled, EventEnvelope, Journal, OrderEvent, Placed, Shipped};

    pub(super) struct Journals;

    #[rillflow::projection(name = "order-journals", version = 2, events = OrderEvent, document = Journal, key = stream,
        shards = 2, ignore(Shipped, Cancelled))]
    impl Journals {
        fn on_placed(doc: &mut Journal, e: &Placed, at: &EventEnvelope) {
            doc.total += e.total * 100;
            doc.positions.push(at.global_seq);
        }
    }
}

fn quick() -> DaemonConfig {
    let mut config = DaemonConfig::default();
    config.lease_ttl = Duration::from_millis(600);
    config.first_retry = Duration::from_millis(20);
    config.longest_retry = Duration::from_millis(50);
    config.max_attempts = 2;
    config.rebuild_readers = 3;
    config
}

fn order(number: usize) -> Uuid {
    Uuid::from_u128(1000 + number as u128)
}

async fn place(store: &Store, order: Uuid, total: i64) -> rillflow::Result<i64> {
    let placed = placed(CustomerId(order), total);
    Ok(store.events().append_stream(order, Expected::Any, [placed]).await?.position())
}

type Journaled = BTreeMap<Uuid, (i64, Vec<i64>)>;

/// What the log makes of it, `factor` times.
async fn folded(store: &Store, factor: i64) -> rillflow::Result<Journaled> {
    let mut journals = Journaled::new();
    for event in store.events().read_all(0, 1_000_000).await? {
        if let OrderEvent::Placed(e) = event.decode::<OrderEvent>()? {
            let journal = journals.entry(event.stream_id.0).or_default();
            journal.0 += e.total * factor;
            journal.1.push(event.global_seq);
        }
    }
    Ok(journals)
}

async fn stored(store: &Store) -> rillflow::Result<Journaled> {
    let journals = store.docs().query::<Journal>().fetch_all().await?;
    Ok(journals.into_iter().map(|it| (it.id, (it.total, it.positions))).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_are_spread_over_processes_and_keep_each_streams_order() -> TestResult {
    let (db, store) = store_with(|it| it.projection::<Journals>(Async)).await?;
    let other = Store::builder(db.url()).projection::<Journals>(Async).build().await?;
    let (first, second) = (store.start_daemon_with(quick()).await?, other.start_daemon_with(quick()).await?);
    let mut last = 0;
    for n in 0..200 {
        last = place(&store, order(n % 20), n as i64).await?;
    }
    store.wait_for(NAME, last, SOON).await?;
    assert_eq!(stored(&store).await?, folded(&store, 1).await?);

    until("each has some shards", async || {
        let status = store.projections().status(NAME).await?;
        let owners: BTreeSet<_> = status.shards.iter().filter_map(|it| it.owner).collect();
        Ok(owners.len() == 2 && status.shards.iter().all(|it| it.owner.is_some()))
    })
    .await?;
    let status = store.projections().status(NAME).await?;
    assert_eq!((status.shards.len(), status.name.as_str()), (4, NAME));
    assert_eq!(store.projections().list().await?.len(), 1, "shards are parts of one projection");

    // one process goes, and the other does it all
    first.shutdown().await;
    for n in 0..40 {
        last = place(&store, order(n % 20), 1).await?;
    }
    other.wait_for(NAME, last, SOON).await?;
    assert_eq!(stored(&store).await?, folded(&store, 1).await?);
    let metrics = store.projections().metrics(NAME).await?;
    assert_eq!((metrics.processed, metrics.lag_events), (240, 0));
    second.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_shards_changes_while_events_come_and_each_is_handled_once() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<Journals>(Async)).await?;
    let daemon = store.start_daemon_with(quick()).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, stop) = (store.clone(), stop.clone());
        async move {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                place(&store, order(n % 30), 1).await?;
                n += 1;
            }
            Ok::<_, Error>(n)
        }
    });
    let projections = store.projections().with_config(quick());
    for shards in [1, 5, 3, 8, 2] {
        projections.split(NAME, shards).await?;
        let now = store.projections().status(NAME).await?.position;
        store.wait_for(NAME, now + 20, SOON).await?; // each of them gets its turn
        assert_eq!(projections.status(NAME).await?.shards.len(), shards as usize);
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writer.await?? > 50);
    let last = place(&store, order(0), 1).await?;
    store.wait_for(NAME, last, SOON).await?;
    assert_eq!(stored(&store).await?, folded(&store, 1).await?);
    daemon.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn no_token_of_a_shard_ever_comes_twice() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<Journals>(Async)).await?;
    let mut highest = 0;
    for shards in [4, 2, 4, 1, 4] {
        place(&store, order(1), 1).await?;
        store.projections().run_until_idle(NAME).await?;
        // what an owner of any shard of before, `order-journals#3` say, would have to carry is no more
        let tokens: (i64, i64) = sqlx::query_as("SELECT min(lease_token), max(lease_token) FROM projections")
            .fetch_one(store.pool())
            .await?;
        assert!(tokens.0 > highest, "{tokens:?} after {highest}");
        highest = tokens.1;
        store.projections().split(NAME, shards).await?;
    }
    Ok(())
}

#[tokio::test]
async fn pausing_resetting_and_dead_letters_know_all_shards() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<Journals>(Async)).await?;
    let projections = store.projections().with_config(quick());
    for n in 0..12 {
        place(&store, order(n), 1).await?;
    }
    projections.run_until_idle(NAME).await?;
    assert_eq!(stored(&store).await?, folded(&store, 1).await?);

    // an event that fails parks its key in its own shard, and the others go on
    let bad = place(&store, order(3), i64::MAX).await?;
    place(&store, order(3), 5).await?;
    let after = place(&store, order(4), 7).await?;
    projections.run_until_idle(NAME).await?;
    let status = projections.status(NAME).await?;
    assert!(status.position >= after && status.dead_letters == 2, "{status:?}");
    let letters = projections.dlq_list(NAME, 10).await?;
    assert_eq!((letters.len(), letters[0].position), (2, bad));
    // what waits behind it is in another shard's hands after a split, and still waits
    projections.split(NAME, 3).await?;
    place(&store, order(3), 6).await?;
    projections.run_until_idle(NAME).await?;
    assert_eq!(projections.status(NAME).await?.dead_letters, 3);
    assert_eq!(projections.dlq_delete(NAME, letters[0].id).await?.applied, 2);
    let (total, positions) = stored(&store).await?.remove(&order(3)).ok_or("no journal")?;
    assert_eq!((total, positions.len()), (12, 3));

    projections.pause(NAME).await?;
    let paused = place(&store, order(5), 1).await?;
    projections.run_until_idle(NAME).await?;
    assert!(projections.status(NAME).await?.shards.iter().all(|it| it.position < paused));
    projections.resume(NAME).await?;
    projections.reset_checkpoint(NAME, paused).await?;
    projections.run_until_idle(NAME).await?;
    assert!(projections.status(NAME).await?.shards.iter().all(|it| it.position == paused));
    assert!(!stored(&store).await?[&order(5)].1.contains(&paused), "the reset passed it over");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_passes_all_shards_and_a_rollback_finds_each_where_it_was() -> TestResult {
    let (db, store) = store_with(|it| it.projection::<Journals>(Async)).await?;
    let daemon = store.start_daemon_with(quick()).await?;
    let mut last = 0;
    for n in 0..100 {
        last = place(&store, order(n % 10), 1).await?;
    }
    store.wait_for(NAME, last, SOON).await?;
    let mut handled = 0;
    store.projections().with_config(quick()).rebuild(NAME, |it| handled = it.handled).await?;
    assert_eq!(handled, 100, "each event once, whoever of the readers handled it");
    assert_eq!(store.projections().status(NAME).await?.shards.len(), 4);
    last = place(&store, order(3), 1).await?;
    store.wait_for(NAME, last, SOON).await?;
    assert_eq!(stored(&store).await?, folded(&store, 1).await?);
    daemon.shutdown().await;

    // the old ones are at different places when the new version takes over
    for n in 0..20 {
        place(&store, order(n % 10), 1).await?;
    }
    let mut small = quick();
    small.batch_size = 2;
    store.projections().with_config(small).run_once(NAME).await?;
    let status = store.projections().status(NAME).await?;
    let apart: BTreeSet<_> = status.shards.iter().map(|it| it.position).collect();
    assert!(apart.len() > 1, "{status:?}");
    let new = Store::builder(db.url()).projection::<next::Journals>(Async).build().await?;
    new.projections().run_until_idle(NAME).await?;
    let status = new.projections().status(NAME).await?;
    assert_eq!((status.version, status.shards.len()), (2, 2), "a new version begins with its own number");
    assert_eq!(stored(&new).await?, folded(&new, 100).await?);

    assert!(store.projections().roll_back(NAME).await?);
    let status = store.projections().status(NAME).await?;
    assert_eq!((status.version, status.shards.iter().map(|it| it.position).collect()), (1, apart));
    store.projections().run_until_idle(NAME).await?;
    assert_eq!(stored(&store).await?, folded(&store, 1).await?);
    Ok(())
}

#[tokio::test]
async fn what_is_not_kept_by_stream_cannot_be_split() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async).projection::<Journals>(Inline)).await?;
    let refused = store.projections().split("customer-sales", 2).await;
    assert!(matches!(&refused, Err(Error::CannotSplit { name, .. }) if name == "customer-sales"), "{refused:?}");
    let inline = store.projections().split(NAME, 2).await;
    assert!(matches!(inline, Err(Error::UnknownProjection { .. })));
    let none = store.projections().split("customer-sales", 0).await;
    assert!(matches!(none, Err(Error::CannotSplit { .. })));
    Ok(())
}

/// A table of the application's, written stream by stream.
struct Totals<const VERSION: i32>;

impl<const VERSION: i32> rillflow::projections::ProjectionHandler for Totals<VERSION> {
    async fn apply(
        &self,
        _: &str,
        body: &rillflow::RawJson,
        at: &EventEnvelope,
        tx: &mut Transaction<'_, Postgres>,
    ) -> Result<(), rillflow::BoxError> {
        let total = body.parse::<Placed>()?.total * i64::from(VERSION);
        let add =
            "INSERT INTO totals VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET total = totals.total + excluded.total";
        sqlx::query(add).bind(at.stream_id.0).bind(total).execute(&mut **tx).await?;
        Ok(())
    }

    async fn reset(&self, tx: &mut Transaction<'_, Postgres>) -> Result<(), rillflow::BoxError> {
        sqlx::query("TRUNCATE totals").execute(&mut **tx).await?;
        Ok(())
    }

    fn types(&self) -> Option<&[&str]> {
        Some(&["order-placed"])
    }

    fn version(&self) -> i32 {
        VERSION
    }

    fn shards(&self) -> Option<i32> {
        Some(3)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sql_projection_that_says_so_is_split_and_a_new_version_empties_it_once() -> TestResult {
    let (db, store) = store_with(|it| it.projection_handler("totals", Totals::<1>)).await?;
    sqlx::raw_sql("CREATE TABLE totals (id uuid PRIMARY KEY, total bigint)").execute(store.pool()).await?;
    for n in 0..60 {
        place(&store, order(n % 12), 1).await?;
    }
    let sum = async |store: &Store| {
        sqlx::query_as::<_, (i64, i64)>("SELECT count(*), sum(total)::bigint FROM totals").fetch_one(store.pool()).await
    };
    store.projections().run_until_idle("totals").await?;
    assert_eq!(store.projections().status("totals").await?.shards.len(), 3);
    assert_eq!(sum(&store).await?, (12, 60));

    let new = Store::builder(db.url()).projection_handler("totals", Totals::<2>).build().await?;
    let daemon = new.start_daemon_with(quick()).await?;
    let last = place(&new, order(0), 1).await?;
    // the checkpoint of the old version is past it until the new one began
    until("the new one began", async || Ok(new.projections().status("totals").await?.version > 1)).await?;
    new.wait_for("totals", last, SOON).await?;
    assert_eq!(sum(&new).await?, (12, 122));
    daemon.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_stream_is_in_the_same_shard_for_rust_and_for_postgresql() -> TestResult {
    // near the head events come from a window that is divided in memory, far from it by PostgreSQL
    let (_db, store) = store_with(|it| it.projection::<Journals>(Async)).await?;
    let events = 1100; // further than the window reaches
    for n in 0..events {
        place(&store, Uuid::from_u128(n * 7_919_u128.pow(7)), 1).await?;
    }
    let daemon = store.start_daemon_with(quick()).await?;
    let mut last = 0;
    for n in 0..200 {
        last = place(&store, Uuid::from_u128(n * 7_919_u128.pow(7)), 1).await?;
    }
    store.wait_for(NAME, last, SOON).await?;
    assert_eq!(stored(&store).await?, folded(&store, 1).await?);
    daemon.shutdown().await;
    Ok(())
}
