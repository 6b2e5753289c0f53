use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rillflow::Lifecycle::Async;
use rillflow::projections::{OnFailure, ProjectionHandler};
use rillflow::{BoxError, DaemonConfig, EventEnvelope, RawJson, Store, StoreBuilder};
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use crate::orders::{CustomerId, CustomerSales, OrderEvent, SalesProjection};
use crate::projections_admin::place;
use crate::support::{Db, TestResult, statements_sent, store_with};

mod proxy;

const SOON: Duration = Duration::from_secs(30);
const LEASE: Duration = Duration::from_secs(1);
const URL: &str = "RILLFLOW_TEST_WORKER_OF";
const SAYS: &str = "worker says ";

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
            println!("{SAYS}inside");
            tokio::task::spawn_blocking(|| std::io::stdin().lock().read_line(&mut String::new())).await??;
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

/// A process that runs the daemon on the same database, and stops within its handler.
struct Worker {
    child: Child,
    stdin: ChildStdin,
}

impl Worker {
    /// Starts one and waits until it is within its handler.
    fn start_and_wait_until_inside(db: &Db) -> Result<Self, Box<dyn std::error::Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--exact", "projections_faults::this_is_the_worker_process", "--nocapture"]).env(URL, db.url());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (stdin, stdout) = (child.stdin.take().ok_or("no stdin")?, child.stdout.take().ok_or("no stdout")?);
        let mut lines = BufReader::new(stdout).lines();
        let inside = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(&format!("{SAYS}inside"))));
        inside.ok_or("the worker ended early")??;
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, stdin })
    }

    fn signal(&self, signal: &str) -> TestResult {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status()?;
        sent.success().then_some(()).ok_or_else(|| "the signal was not sent".into())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // it may have been killed already
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
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
    let worker = Worker::start_and_wait_until_inside(&db)?;
    worker.signal("-KILL")?;
    let killed = Instant::now();

    let daemon = store.start_daemon_with(config()).await?;
    assert_folded(&store).await?;
    let took = killed.elapsed();
    println!("taken over {took:?} after kill -9, with a lease of {LEASE:?}");
    assert!(took < LEASE * 3, "{took:?}");
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
    let mut worker = Worker::start_and_wait_until_inside(&db)?;
    worker.signal("-STOP")?; // its transaction is open, and holds the row that the next owner inserts
    let stopped = Instant::now();
    let daemon = store.start_daemon_with(config()).await?;
    assert_folded(&store).await?;
    println!("taken over {:?} after SIGSTOP within a transaction, with a lease of {LEASE:?}", stopped.elapsed());
    let left = (LEASE * 3).saturating_sub(stopped.elapsed());
    tokio::time::sleep(left).await;
    worker.signal("-CONT")?;
    worker.stdin.write_all(b"go on\n")?;
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
    let mut killer = PgConnection::connect(db.url()).await?;
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let mut cuts = 0;
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        cuts += sqlx::query_scalar::<_, i64>(cut).fetch_one(&mut killer).await?;
    }
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
    let proxy = proxy::Proxy::start(db.url()).await?;
    let behind = with_both(Store::builder(&proxy.url), false).build().await?;
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
    proxy.stall(true);
    let second = store.start_daemon_with(config()).await?;
    for total in 0..50 {
        place(&store, kim, total).await?;
    }
    assert_folded(&store).await?;
    proxy.stall(false);
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
    let proxy = proxy::Proxy::start(db.url()).await?;
    let behind = with_both(Store::builder(&proxy.url), false)
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
    let shared = async {
        loop {
            let owners: Vec<_> = store.projections().list().await?.into_iter().map(|it| it.owner).collect();
            if owners[0].is_some() && owners[1].is_some() && owners[0] != owners[1] {
                return Ok::<_, rillflow::Error>(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, shared).await??; // each has one
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
    tokio::time::sleep(Duration::from_millis(300)).await;
    let batch = statements_sent();
    // 1 append; the mark looked at and published; 1 read; documents: load, write; SQL: begin, guard, 100 inserts,
    // checkpoint, commit
    println!(
        "{batch} statements for 100 events in 2 projections, 104 of them in the transaction of the SQL projection"
    );
    assert!(batch <= 104 + 12, "{batch}");
    assert_folded(&store).await?;

    tokio::time::sleep(Duration::from_secs(1)).await;
    statements_sent();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let idle = statements_sent();
    println!("{idle} statements in 10 idle seconds");
    assert!(idle <= 10, "{idle}: more than one per second");
    daemon.shutdown().await;
    Ok(())
}
