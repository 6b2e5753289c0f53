use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rillflow::Lifecycle::Async;
use rillflow::{DaemonConfig, Document, Error, Expected, Store, projection};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::orders::{Cancelled, CustomerId, OrderEvent, Placed, Shipped, placed};
use crate::projections_admin::place;
use crate::support::{TestResult, store_with};

const SOON: Duration = Duration::from_secs(20);
const NAME: &str = "spendings";

/// What a customer spent, with an index of each kind of name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "spendings", gin, index(total))]
struct Spending {
    #[document(id)]
    id: CustomerId,
    total: i64,
    /// The positions folded, in order: a double or a missing one shows.
    positions: Vec<i64>,
}

struct Spendings;

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
mod next {
    use super::{Cancelled, CustomerId, OrderEvent, Placed, Shipped, Spending};

    pub(super) struct Spendings;

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

fn quick() -> DaemonConfig {
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
