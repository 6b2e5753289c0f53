use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rillflow::Lifecycle::{Async, Inline};
use rillflow::{DaemonConfig, Document, Error, Expected, Store, projection};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::orders::{Cancelled, CustomerId, OrderEvent, Placed, Shipped, placed};
use crate::projections_admin::place;
use crate::support::{SOON, TestResult, store_with};

pub(crate) const NAME: &str = "spendings";

/// What a customer spent, with an index of each kind of name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "spendings", gin, index(total))]
pub(crate) struct Spending {
    #[document(id)]
    pub(crate) id: CustomerId,
    pub(crate) total: i64,
    /// The positions folded, in order: a double or a missing one shows.
    pub(crate) positions: Vec<i64>,
}

pub(crate) struct Spendings;

#[projection(name = "spendings", version = 1, events = OrderEvent, document = Spending, ignore(Shipped, Cancelled))]
impl Spendings {
    #[key]
    fn of_placed(e: &Placed) -> CustomerId {
        e.customer
    }

    fn on_placed(doc: &mut Spending, e: &Placed, at: &rillflow::EventEnvelope) {
        doc.total += e.total;
        doc.positions.push(at.global_seq);
    }
}

/// The next version counts cents.
pub(crate) mod next {
    use super::{Cancelled, CustomerId, OrderEvent, Placed, Shipped, Spending};

    pub(crate) struct Spendings;

    #[rillflow::projection(name = "spendings", version = 2, events = OrderEvent, document = Spending, ignore(Shipped, Cancelled))]
    impl Spendings {
        #[key]
        fn of_placed(e: &Placed) -> CustomerId {
            e.customer
        }

        fn on_placed(doc: &mut Spending, e: &Placed, at: &rillflow::EventEnvelope) {
            doc.total += e.total * 100;
            doc.positions.push(at.global_seq);
        }
    }
}

pub(crate) fn quick() -> DaemonConfig {
    let mut config = DaemonConfig::default();
    config.lease_ttl = Duration::from_millis(600);
    config.first_retry = Duration::from_millis(20);
    config
}

/// Fails unless the read model is what a fold of the log makes it, `factor` times.
async fn assert_folded(store: &Store, factor: i64) -> TestResult {
    let mut expected: std::collections::BTreeMap<Uuid, (i64, Vec<i64>)> = Default::default();
    for event in store.events().read_all(0, 1_000_000).await? {
        if let OrderEvent::Placed(e) = event.decode::<OrderEvent>()? {
            let spent = expected.entry(e.customer.0).or_default();
            spent.0 += e.total * factor;
            spent.1.push(event.global_seq);
        }
    }
    let stored = store.docs().query::<Spending>().fetch_all().await?;
    let stored: std::collections::BTreeMap<_, _> =
        stored.into_iter().map(|doc| (doc.id.0, (doc.total, doc.positions))).collect();
    assert!(stored == expected, "the read model is not the fold of the log");
    Ok(())
}

async fn indexes(store: &Store, table: &str) -> sqlx::Result<Vec<String>> {
    let names = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND tablename = $1 ORDER BY 1";
    sqlx::query_scalar(names).bind(table.to_owned()).fetch_all(store.pool()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_under_load_is_never_seen_half_done() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<Spendings>(Async)).await?;
    let daemon = store.start_daemon_with(quick()).await?;
    let customers: Arc<[CustomerId]> = (0..20).map(|n| CustomerId(Uuid::from_u128(n + 1))).collect();
    for n in 0..200 {
        place(&store, customers[n % 20], 1).await?;
    }
    let last = store.events().read_all(0, 1000).await?.last().map_or(0, |it| it.global_seq);
    store.wait_for(NAME, last, SOON).await?;
    let before = indexes(&store, "docs_spendings").await?;

    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, stop, customers) = (store.clone(), stop.clone(), customers.clone());
        async move {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                place(&store, customers[n % 20], 1).await?;
                n += 1;
            }
            Ok::<_, Error>(n)
        }
    });
    let reader = tokio::spawn({
        let (store, stop) = (store.clone(), stop.clone());
        async move {
            let (mut reads, mut seen) = (0, 0);
            while !stop.load(Ordering::Relaxed) {
                let documents = store.docs().query::<Spending>().fetch_all().await?;
                let total: i64 = documents.iter().map(|doc| doc.total).sum();
                assert!(documents.len() == 20 && total >= seen, "{} documents, {total} after {seen}", documents.len());
                seen = total;
                reads += 1;
            }
            Ok::<_, Error>(reads)
        }
    });
    let mut progress = Vec::new();
    for _ in 0..3 {
        store.projections().with_config(quick()).rebuild(NAME, |it| progress.push(it)).await?;
    }
    stop.store(true, Ordering::Relaxed);
    let (written, reads) = (writer.await??, reader.await??);
    assert!(written > 10 && reads > 10, "{written} written, {reads} reads: hardly anything happened");
    assert!(progress.len() >= 3 && progress.iter().all(|it| it.position <= it.target));

    let last = place(&store, customers[0], 1).await?;
    store.wait_for(NAME, last, SOON).await?;
    assert_folded(&store, 1).await?;
    assert_eq!(indexes(&store, "docs_spendings").await?, before, "the indexes have their own names");
    assert_eq!(indexes(&store, "docs_spendings__old").await?.len(), before.len());
    assert!(store.projections().drop_old(NAME).await?);
    assert!(indexes(&store, "docs_spendings__old").await?.is_empty());
    assert_eq!(store.projections().list().await?.len(), 1);
    daemon.shutdown().await;
    Ok(())
}

crate::layouts::declared!(Spending);

#[tokio::test]
async fn a_new_version_is_built_beside_the_old_one_while_that_one_serves() -> TestResult {
    let (db, old) = store_with(|it| it.projection::<Spendings>(Async)).await?;
    let old_daemon = old.start_daemon_with(quick()).await?;
    let kim = CustomerId::default();
    for total in 1..=10 {
        place(&old, kim, total).await?;
    }
    let last = place(&old, kim, 100).await?;
    old.wait_for(NAME, last, SOON).await?;
    assert_folded(&old, 1).await?;

    let new = Store::builder(db.url()).projection::<next::Spendings>(Async).build().await?;
    let new_daemon = new.start_daemon_with(quick()).await?;
    let serves = async {
        while new.projections().status(NAME).await?.version == 1 {
            let total = new.docs().get::<Spending>(&kim).await?.map(|(doc, _)| doc.total);
            assert!(total == Some(155) || total == Some(15_500), "{total:?}: neither of the two");
        }
        Ok::<_, Error>(())
    };
    tokio::time::timeout(SOON, serves).await??;
    let last = place(&new, kim, 1).await?;
    new.wait_for(NAME, last, SOON).await?;
    assert_folded(&new, 100).await?;
    new_daemon.shutdown().await;

    // back to the old program: its model takes its place again and goes on from where it was
    assert!(old.projections().roll_back(NAME).await?);
    assert_eq!(old.projections().status(NAME).await?.version, 1);
    let last = place(&old, kim, 2).await?;
    old.wait_for(NAME, last, SOON).await?;
    assert_folded(&old, 1).await?;
    old_daemon.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_rebuild_that_was_broken_off_goes_on_where_it_was_and_can_be_given_up() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<Spendings>(Async)).await?;
    let kim = CustomerId::default();
    let events: Vec<_> = (0..6000).map(|_| placed(kim, 1)).collect();
    store.events().append_stream(Uuid::now_v7(), Expected::Any, events).await?;
    store.projections().run_until_idle(NAME).await?;

    // broken off after its first batch
    let projections = store.projections().with_config(quick());
    let (first, batch) = tokio::sync::oneshot::channel();
    let mut first = Some(first);
    let rebuild = projections.rebuild(NAME, |it| {
        if let Some(first) = first.take() {
            let _gone = first.send(it.position);
        }
    });
    let reached = tokio::select! {
        done = rebuild => return Err(format!("not broken off: {done:?}").into()),
        reached = batch => reached?,
    };
    let status = store.projections().status(NAME).await?;
    assert!(status.rebuilding.is_some_and(|(position, version)| position >= reached && version == 1), "{status:?}");

    // until the lease of the one that is gone runs out, nobody else goes on
    let mut begun_at = None;
    let resumed = async {
        loop {
            let rebuild = projections.rebuild(NAME, |it| begun_at = begun_at.or(Some(it.position)));
            match rebuild.await {
                Err(Error::RebuildLost { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
                done => return done,
            }
        }
    };
    tokio::time::timeout(SOON, resumed).await??;
    assert!(begun_at.is_none_or(|at| at > reached), "it began anew");
    assert_folded(&store, 1).await?;
    assert!(!store.projections().cancel_rebuild(NAME).await?, "none is left");

    let (first, batch) = tokio::sync::oneshot::channel();
    let mut first = Some(first);
    let rebuild = projections.rebuild(NAME, |it| {
        if let Some(first) = first.take() {
            let _gone = first.send(it.position);
        }
    });
    let cancelled = async {
        batch.await.map_err(|_| "no batch")?;
        Ok::<_, Box<dyn std::error::Error>>(store.projections().cancel_rebuild(NAME).await?)
    };
    let (rebuilt, cancelled) = tokio::join!(rebuild, cancelled);
    assert!(cancelled?);
    assert!(rebuilt.is_err(), "what was given up is not swapped in");
    assert_folded(&store, 1).await?;
    Ok(())
}

#[tokio::test]
async fn those_who_may_read_the_live_model_may_read_the_new_one_and_a_view_is_refused() -> TestResult {
    let (_db, store) = store_with(|it| it.schema("app").projection::<Spendings>(Async)).await?;
    place(&store, CustomerId::default(), 1).await?;
    store.projections().run_until_idle(NAME).await?;
    sqlx::raw_sql("GRANT SELECT ON app.docs_spendings TO PUBLIC").execute(store.pool()).await?;
    store.projections().rebuild(NAME, |_| {}).await?;
    let granted = "SELECT relacl::text LIKE '%=r/%' FROM pg_class WHERE oid = 'app.docs_spendings'::regclass";
    assert!(sqlx::query_scalar::<_, bool>(granted).fetch_one(store.pool()).await?);
    assert_eq!(store.docs().query::<Spending>().fetch_all().await?.len(), 1);

    sqlx::raw_sql("CREATE VIEW app.spent AS SELECT doc FROM app.docs_spendings").execute(store.pool()).await?;
    let refused = store.projections().rebuild(NAME, |_| {}).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("the view spent reads docs_spendings")));
    sqlx::raw_sql("DROP VIEW app.spent").execute(store.pool()).await?;
    store.projections().rebuild(NAME, |_| {}).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inline_model_is_rebuilt_under_load_without_losing_an_append() -> TestResult {
    let (db, store) = store_with(|it| it.projection::<Spendings>(Inline)).await?;
    let customers: Arc<[CustomerId]> = (0..5).map(|n| CustomerId(Uuid::from_u128(n + 1))).collect();
    for n in 0..300 {
        place(&store, customers[n % 5], 1).await?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|first| {
            let (store, stop, customers) = (store.clone(), stop.clone(), customers.clone());
            tokio::spawn(async move {
                let mut n = first;
                while !stop.load(Ordering::Relaxed) {
                    place(&store, customers[n % 5], 1).await?;
                    n += 1;
                }
                Ok::<_, Error>(n)
            })
        })
        .collect();
    // as a handler that was repaired: what is stored is wrong, and only the rebuild makes it right
    sqlx::raw_sql("UPDATE docs_spendings SET doc = jsonb_set(doc, '{total}', '-1000000')")
        .execute(store.pool())
        .await?;
    for _ in 0..4 {
        store.projections().rebuild(NAME, |_| {}).await?; // its lease is longer than any pause of a busy machine
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        assert!(writer.await?? > 4);
    }
    place(&store, customers[0], 1).await?;

    let mut totals = std::collections::BTreeMap::<Uuid, (i64, std::collections::BTreeSet<i64>)>::new();
    for event in store.events().read_all(0, 1_000_000).await? {
        if let OrderEvent::Placed(e) = event.decode::<OrderEvent>()? {
            let spent = totals.entry(e.customer.0).or_default();
            spent.0 += e.total;
            spent.1.insert(event.global_seq);
        }
    }
    for doc in store.docs().query::<Spending>().fetch_all().await? {
        // inline, documents see events in the order of commits, which is not always that of positions
        let (total, positions) = totals.remove(&doc.id.0).ok_or("a customer of no event")?;
        assert_eq!((doc.total, doc.positions.len()), (total, positions.len()), "none lost, none twice");
        assert_eq!(doc.positions.into_iter().collect::<std::collections::BTreeSet<_>>(), positions);
    }
    assert!(totals.is_empty(), "{totals:?}");
    assert_eq!(indexes(&store, "docs_spendings").await?.len(), 3);
    assert!(indexes(&store, "docs_spendings__old").await?.is_empty(), "nothing would bring the old one up to date");
    assert!(!store.projections().roll_back(NAME).await.is_ok_and(|it| it));
    drop(db);
    Ok(())
}

#[tokio::test]
async fn the_swap_of_an_inline_model_waits_for_appends_under_way_and_those_that_come_write_to_the_new_one() -> TestResult
{
    let (_db, store) = store_with(|it| it.projection::<Spendings>(Inline)).await?;
    let (kim, bo) = (CustomerId(Uuid::from_u128(1)), CustomerId(Uuid::from_u128(2)));
    place(&store, kim, 1).await?;

    // one that has written its document, and holds the mark down; and one above the mark that is committed
    let mut open = store.pool().begin().await?;
    store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, vec![placed(kim, 10)]).await?;
    place(&store, bo, 100).await?;
    let rebuild = tokio::spawn({
        let store = store.clone();
        async move { store.projections().rebuild(NAME, |_| {}).await }
    });
    crate::support::until_somebody_waits(store.pool()).await?;
    let late = tokio::spawn({
        let store = store.clone();
        async move { place(&store, bo, 1000).await }
    });
    open.commit().await?;
    late.await??;
    tokio::time::timeout(SOON, rebuild).await???;
    let total = async |id| Ok::<_, Error>(store.docs().get::<Spending>(&id).await?.map(|(doc, _)| doc.total));
    assert_eq!((total(kim).await?, total(bo).await?), (Some(11), Some(1100)));
    Ok(())
}

#[tokio::test]
async fn an_inline_projection_has_a_status_and_is_not_run_by_hand() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<Spendings>(Inline)).await?;
    let last = place(&store, CustomerId::default(), 1).await?;
    let status = store.projections().status(NAME).await?;
    assert_eq!((status.status.as_str(), status.version, status.position), ("inline", 1, last));
    assert!(status.owner.is_none() && status.rebuilding.is_none());
    assert_eq!(store.projections().list().await?.len(), 1);
    let ran = store.projections().run_once(NAME).await;
    assert!(matches!(ran, Err(Error::UnknownProjection { .. })), "its documents would count twice: {ran:?}");
    Ok(())
}
