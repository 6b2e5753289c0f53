use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rillflow::Lifecycle::Async;
use rillflow::projections::{OnFailure, ProjectionHandler};
use rillflow::{BoxError, DaemonConfig, EventEnvelope, RawJson, Store, StoreBuilder};
use sqlx::{Postgres, Transaction};

use crate::faults::{Process, Proxy, cut_every_50_ms, say, wait_for_word};
use crate::orders::{CustomerId, CustomerSales, OrderEvent, SalesProjection};
use crate::projections_admin::place;
use crate::support::{Db, SOON, TestResult, statements_about, statements_sent, store_with, until, until_true};

const LEASE: Duration = Duration::from_secs(1);
const URL: &str = "RILLFLOW_TEST_WORKER_OF";

/// One row per event. In the second process it stops once within, after its effect and before the checkpoint.
struct Effects {
    pauses: AtomicBool,
}

impl ProjectionHandler for Effects {
    async fn apply(
        &self,
        _: &str,
        _: &RawJson,
        at: &EventEnvelope,
        tx: &mut Transaction<'_, Postgres>,
    ) -> Result<(), BoxError> {
        sqlx::query("INSERT INTO effects (position) VALUES ($1)").bind(at.global_seq).execute(&mut **tx).await?;
        if self.pauses.swap(false, Ordering::Relaxed) {
            say("inside");
            wait_for_word().await?;
        }
        Ok(())
    }

    fn types(&self) -> Option<&[&str]> {
        Some(&["order-placed"])
    }

    fn on_failure(&self) -> OnFailure {
        OnFailure::Skip // a fault of the machine must set nothing aside
    }
}

fn config() -> DaemonConfig {
    let mut config = DaemonConfig::default();
    config.lease_ttl = LEASE;
    config.first_retry = Duration::from_millis(10);
    config.longest_retry = Duration::from_millis(100);
    config
}

fn with_both(builder: StoreBuilder, pauses: bool) -> StoreBuilder {
    builder.projection::<SalesProjection>(Async).projection_handler("effects", Effects { pauses: pauses.into() })
}

async fn both() -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store_with(|it| with_both(it.max_connections(20), false)).await?;
    sqlx::raw_sql("CREATE TABLE effects (position bigint PRIMARY KEY)").execute(store.pool()).await?;
    Ok((db, store))
}

/// Waits for both projections, and compares both read models with a fold of the log, row by row.
async fn assert_folded(store: &Store) -> TestResult {
    let events = store.events().read_all(0, 1_000_000).await?;
    let last = events.last().map_or(0, |it| it.global_seq);
    for projection in ["customer-sales", "effects"] {
        store.wait_for(projection, last, SOON).await?;
        assert!(store.projections().dlq_list(projection, 10).await?.is_empty(), "{projection} set something aside");
    }
    let (mut positions, mut sales) = (Vec::new(), std::collections::HashMap::<_, Vec<i64>>::new());
    for event in &events {
        if let OrderEvent::Placed(e) = event.decode::<OrderEvent>()? {
            positions.push(event.global_seq);
            sales.entry(e.customer.0).or_default().push(event.global_seq);
        }
    }
    let effects = "SELECT position FROM effects ORDER BY position";
    assert_eq!(sqlx::query_scalar::<_, i64>(effects).fetch_all(store.pool()).await?, positions);
    let stored = store.docs().query::<CustomerSales>().fetch_all().await?;
    let stored: std::collections::HashMap<_, _> = stored.into_iter().map(|it| (it.id.0, it.positions)).collect();
    assert_eq!(stored, sales);
    Ok(())
}

/// A process that runs the daemon on the same database; returns once it stands within its handler.
fn start_worker_and_wait_until_inside(db: &Db) -> Result<Process, Box<dyn std::error::Error>> {
    let mut worker = Process::start("projections_faults::this_is_the_worker_process", &[(URL, db.url())])?;
    assert_eq!(worker.hear()?, "inside");
    Ok(worker)
}

#[test]
fn this_is_the_worker_process() {
    let Ok(url) = std::env::var(URL) else { return }; // an ordinary test run
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let worked: TestResult = runtime.expect("a runtime").block_on(async {
        let store = with_both(Store::builder(&url), true).build().await?;
        let _daemon = store.start_daemon_with(config()).await?;
        std::future::pending().await
    });
    worked.expect("the worker works");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_between_effect_and_checkpoint_leaves_neither() -> TestResult {
    let (db, store) = both().await?;
    let kim = CustomerId::default();
    for total in 0..5 {
        place(&store, kim, total).await?;
    }
    let worker = start_worker_and_wait_until_inside(&db)?;
    worker.signal("-KILL")?;
    let killed = Instant::now();

    let daemon = store.start_daemon_with(config()).await?;
    assert_folded(&store).await?;
    println!("taken over {:?} after kill -9, with a lease of {LEASE:?}", killed.elapsed());
    daemon.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_stands_still_is_followed_by_another_and_does_nothing_when_it_comes_back() -> TestResult {
    let (db, store) = both().await?;
    let kim = CustomerId::default();
    for total in 0..5 {
        place(&store, kim, total).await?;
    }
    let mut worker = start_worker_and_wait_until_inside(&db)?;
    worker.signal("-STOP")?; // its transaction is open, and holds the row that the next owner inserts
    let stopped = Instant::now();
    let daemon = store.start_daemon_with(config()).await?;
    assert_folded(&store).await?;
    println!("taken over {:?} after SIGSTOP within a transaction, with a lease of {LEASE:?}", stopped.elapsed());
    // it comes back long after its lease has run out
    tokio::time::sleep((LEASE * 3).saturating_sub(stopped.elapsed())).await;
    worker.signal("-CONT")?;
    worker.give_word()?;
    for total in 5..10 {
        place(&store, kim, total).await?;
    }
    assert_folded(&store).await?;
    drop(worker);
    daemon.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_every_50_ms_cost_no_event_and_double_none() -> TestResult {
    let (db, store) = both().await?;
    for n in 0..2000 {
        place(&store, CustomerId(uuid::Uuid::from_u128(n % 7)), 1).await?;
    }
    let mut config = config();
    config.batch_size = 20; // so that there is something to cut
    let daemon = store.start_daemon_with(config).await?;
    let cuts = cut_every_50_ms(db.url(), 40).await?;
    assert!(cuts > 20, "{cuts}: hardly anything was cut");
    let settled = async {
        while let Err(error) = assert_folded(&store).await {
            println!("still recovering: {error}");
        }
    };
    tokio::time::timeout(SOON, settled).await?;
    daemon.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_cuts_and_stalls_costs_no_event_and_doubles_none() -> TestResult {
    let (db, store) = both().await?;
    let proxy = Proxy::start(db.url()).await?;
    let behind = with_both(Store::builder(proxy.url()), false).build().await?;
    let first = behind.start_daemon_with(config()).await?;
    let kim = CustomerId::default();
    for total in 0..50 {
        place(&store, kim, total).await?;
        if total % 10 == 9 {
            proxy.cut();
        }
    }
    assert_folded(&store).await?;

    // nothing gets through, and nothing is closed: its leases run out, and another process takes over
    proxy.stall();
    let second = store.start_daemon_with(config()).await?;
    for total in 0..50 {
        place(&store, kim, total).await?;
    }
    assert_folded(&store).await?;
    proxy.flow();
    for total in 0..50 {
        place(&store, kim, total).await?;
    }
    assert_folded(&store).await?;
    second.shutdown().await;
    drop(first);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_whose_connections_never_answer_again_goes_on_with_new_ones() -> TestResult {
    let (db, store) = both().await?;
    let proxy = Proxy::start(db.url()).await?;
    let behind = with_both(Store::builder(proxy.url()), false)
        .max_connections(8)
        .connect_timeout(Duration::from_secs(2))
        .build()
        .await?;
    let daemon = behind.start_daemon_with(config()).await?;
    let kim = CustomerId::default();
    place(&store, kim, 1).await?;
    assert_folded(&store).await?;

    // as when the server's machine loses its power: what was asked is never answered, and nothing is closed
    let mut lock = store.pool().begin().await?;
    sqlx::raw_sql("LOCK TABLE effects IN EXCLUSIVE MODE").execute(&mut *lock).await?;
    place(&store, kim, 2).await?;
    crate::support::until_somebody_waits(store.pool()).await?;
    proxy.silence();
    lock.rollback().await?;
    for total in 0..20 {
        place(&store, kim, total).await?;
    }
    assert_folded(&store).await?;
    drop(daemon);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_daemons_of_one_process_and_two_stores_share_the_projections() -> TestResult {
    let (db, store) = both().await?;
    let other = with_both(Store::builder(db.url()), false).build().await?;
    let (first, second) = (store.start_daemon_with(config()).await?, store.start_daemon_with(config()).await?);
    let third = other.start_daemon_with(config()).await?;
    for n in 0..100 {
        place(&store, CustomerId(uuid::Uuid::from_u128(n % 5)), 1).await?;
    }
    assert_folded(&store).await?;
    until("each has one", async || {
        let owners: Vec<_> = store.projections().list().await?.into_iter().map(|it| it.owner).collect();
        Ok(owners[0].is_some() && owners[1].is_some() && owners[0] != owners[1])
    })
    .await?;
    first.shutdown().await;
    third.shutdown().await;
    for n in 0..100 {
        place(&store, CustomerId(uuid::Uuid::from_u128(n % 5)), 1).await?;
    }
    assert_folded(&store).await?;
    second.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn projections_near_the_head_share_one_read_and_idle_ones_ask_next_to_nothing() -> TestResult {
    let (_db, store) = both().await?;
    let kim = CustomerId::default();
    let daemon = store.start_daemon().await?;
    place(&store, kim, 1).await?;
    assert_folded(&store).await?;

    let events: Vec<_> = (0..100).map(|total| crate::orders::placed(kim, total)).collect();
    statements_sent();
    store.events().append_stream(uuid::Uuid::now_v7(), rillflow::Expected::Any, events).await?;
    let done = "SELECT bool_and(position = (SELECT max(global_seq) FROM events)) FROM projections";
    until_true(store.pool(), done).await?;
    let batch = statements_about("").iter().filter(|it| !it.contains(done)).count();
    // 1 append; the mark looked at and published; 1 read; documents: load, write; SQL: begin, guard, 100 inserts,
    // checkpoint, commit
    println!(
        "{batch} statements for 100 events in 2 projections, 104 of them in the transaction of the SQL projection"
    );
    assert!(batch <= 104 + 12, "{batch}");
    assert_folded(&store).await?;

    // what "idle" costs is counted per second, once the last beat of the work before is over
    tokio::time::sleep(Duration::from_secs(1)).await;
    statements_sent();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let idle = statements_sent();
    println!("{idle} statements in 10 idle seconds");
    assert!(idle <= 10, "{idle}: more than one per second");
    daemon.shutdown().await;
    Ok(())
}
