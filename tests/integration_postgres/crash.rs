use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use rillflow::{DaemonConfig, Error, Expected, Lifecycle, Store};
use rillflow_tests::private_server::PrivateServer;
use sqlx::PgPool;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::faults::cut_every_50_ms;
use crate::orders::{CustomerId, CustomerSales, OrderEvent, SalesProjection, placed};
use crate::support::{SOON, TestResult, store_with, until};

const WRITERS: usize = 8;
const STREAMS: usize = 20;
/// So many numbers are given out in each round.
const ROUND: i64 = 500;

/// What the writers were told about their events, by number.
#[derive(Debug, Default)]
struct Told {
    /// They must be there.
    acknowledged: HashSet<i64>,
    /// They may be there.
    unknown: HashSet<i64>,
    /// They must not be there.
    failed: HashSet<i64>,
}

impl Told {
    fn note<T>(&mut self, number: i64, answer: &rillflow::Result<T>) {
        let list = match answer {
            Ok(_) => &mut self.acknowledged,
            Err(Error::OutcomeUnknown { .. }) => &mut self.unknown,
            Err(Error::Database(_) | Error::PoolTimeout | Error::Contention(_)) => &mut self.failed,
            Err(other) => panic!("an error of another kind: {other:?}"),
        };
        list.extend([number, number + 1]);
    }

    /// Compares with what is there, and says how many of the unknown are.
    fn check(&self, stored: &HashSet<i64>) -> usize {
        assert_eq!(self.acknowledged.difference(stored).count(), 0, "acknowledged and lost");
        assert_eq!(self.failed.intersection(stored).count(), 0, "stored, though the writer was told that it failed");
        let known = stored.iter().all(|it| self.acknowledged.contains(it) || self.unknown.contains(it));
        assert!(known, "stored, though nobody wrote it");
        self.unknown.intersection(stored).count()
    }
}

/// One writer: appends pairs, stream after stream, until told to stop.
async fn write(store: Store, streams: Arc<Vec<Uuid>>, next: Arc<AtomicI64>, stop: Arc<AtomicBool>) -> Told {
    let mut told = Told::default();
    while !stop.load(Ordering::Relaxed) {
        let number = next.fetch_add(2, Ordering::Relaxed);
        let stream = streams[number as usize / 2 % streams.len()];
        let customer = CustomerId(Uuid::from_u128(number as u128 / 2 % 3 + 1));
        let events = [placed(customer, number), placed(customer, number + 1)];
        let log = store.events();
        let append = log.append_stream(stream, Expected::Any, events);
        let answer = tokio::time::timeout(SOON, append).await.expect("every call ends, well or not");
        told.note(number, &answer);
        if answer.is_err() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    told
}

fn start_writers(store: &Store, next: &Arc<AtomicI64>, stop: &Arc<AtomicBool>) -> JoinSet<Told> {
    let streams = Arc::new((0..STREAMS).map(|n| Uuid::from_u128(n as u128 + 1)).collect::<Vec<_>>());
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write(store.clone(), streams.clone(), next.clone(), stop.clone()));
    }
    writers
}

async fn join(mut writers: JoinSet<Told>, into: &mut Told) -> TestResult {
    while let Some(told) = writers.join_next().await {
        let told = told?;
        into.acknowledged.extend(told.acknowledged);
        into.unknown.extend(told.unknown);
        into.failed.extend(told.failed);
    }
    Ok(())
}

/// The numbers of all stored events; fails unless every stream's versions are 1, 2, 3 in the order of positions, its
/// row says how many, and no append is there by half.
async fn stored_whole(pool: &PgPool) -> Result<HashSet<i64>, Box<dyn std::error::Error>> {
    let all = "SELECT stream_id, stream_seq, (data->>'total')::bigint FROM events ORDER BY global_seq";
    let rows: Vec<(Uuid, i64, i64)> = sqlx::query_as(all).fetch_all(pool).await?;
    let (mut versions, mut numbers) = (HashMap::new(), HashSet::new());
    for (stream, version, number) in rows {
        let before = versions.insert(stream, version).unwrap_or(0);
        assert_eq!(version, before + 1, "the versions of {stream}");
        assert!(numbers.insert(number), "{number} is stored twice");
    }
    let rows: Vec<(Uuid, i64)> = sqlx::query_as("SELECT stream_id, version FROM streams").fetch_all(pool).await?;
    assert_eq!(rows.into_iter().collect::<HashMap<_, _>>(), versions);
    assert!(numbers.iter().all(|number| numbers.contains(&(number ^ 1))), "half of an append is stored");
    Ok(numbers)
}

/// Appends through the same pool until an append is acknowledged again.
async fn until_it_works(store: &Store, next: &AtomicI64, told: &mut Told) -> TestResult {
    let works = async {
        loop {
            let number = next.fetch_add(2, Ordering::Relaxed);
            let customer = CustomerId(Uuid::from_u128(1));
            let events = [placed(customer, number), placed(customer, number + 1)];
            let appended = store.events().append_stream(Uuid::now_v7(), Expected::NoStream, events).await;
            told.note(number, &appended);
            if appended.is_ok() {
                return;
            }
        }
    };
    Ok(tokio::time::timeout(SOON, works).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_append_survives_a_server_that_is_killed() -> TestResult {
    let Some(mut server) = PrivateServer::start(&[]).await? else { return Ok(()) };
    let url = server.create_database("crash").await?;
    let builder = Store::builder(&url).max_connections(WRITERS as u32 + 4);
    let store = builder.connect_timeout(Duration::from_secs(1)).build().await?;
    store.schema().sync(&Default::default()).await?;
    let (next, mut told) = (Arc::new(AtomicI64::new(0)), Told::default());
    for round in 1..=3 {
        let stop = Arc::new(AtomicBool::new(false));
        let writers = start_writers(&store, &next, &stop);
        let enough = next.load(Ordering::Relaxed) + ROUND;
        until("writers are at work", async || Ok(next.load(Ordering::Relaxed) > enough)).await?;
        server.kill()?;
        stop.store(true, Ordering::Relaxed);
        join(writers, &mut told).await?;
        server.start_again()?;

        until_it_works(&store, &next, &mut told).await?;
        let stored = stored_whole(store.pool()).await?;
        let (unknown, acknowledged) = (told.check(&stored), told.acknowledged.len());
        println!("round {round}: acknowledged {acknowledged}, lost 0, stored though not acknowledged {unknown}");
        let seen = store.events().read_all(0, i64::MAX).await?;
        assert_eq!(seen.len(), stored.len(), "a dead writer holds no reader up");
    }
    assert!(told.acknowledged.len() > 100, "hardly anything happened");
    Ok(())
}

/// What the read model must hold: orders, total and positions by customer.
async fn folded(store: &Store) -> rillflow::Result<HashMap<Uuid, (i64, i64, Vec<i64>)>> {
    let mut by_customer: HashMap<Uuid, (i64, i64, Vec<i64>)> = HashMap::new();
    for event in store.events().read_all(0, i64::MAX).await? {
        let OrderEvent::Placed(e) = event.decode::<OrderEvent>()? else { continue };
        let sales = by_customer.entry(e.customer.0).or_default();
        sales.0 += 1;
        sales.1 += e.total;
        sales.2.push(event.global_seq);
    }
    Ok(by_customer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_all_the_time_cost_errors_and_nothing_else() -> TestResult {
    let (db, store) =
        store_with(|it| it.max_connections(WRITERS as u32 + 6).projection::<SalesProjection>(Lifecycle::Async)).await?;
    let mut config = DaemonConfig::default();
    config.lease_ttl = Duration::from_secs(1);
    config.first_retry = Duration::from_millis(10);
    config.longest_retry = Duration::from_millis(100);
    let daemon = store.start_daemon_with(config).await?;
    let (next, stop, mut told) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)), Told::default());
    let writers = start_writers(&store, &next, &stop);

    let cuts = cut_every_50_ms(db.url(), 60).await?;
    stop.store(true, Ordering::Relaxed);
    join(writers, &mut told).await?;
    until_it_works(&store, &next, &mut told).await?;

    let stored = stored_whole(store.pool()).await?;
    told.check(&stored);
    let (acknowledged, unknown, failed) = (told.acknowledged.len(), told.unknown.len(), told.failed.len());
    println!("{cuts} connections cut: acknowledged {acknowledged}, unknown {unknown}, failed {failed}");
    assert!(unknown + failed > 0 && acknowledged > 100, "nothing was cut, or nothing got through");
    let last = store.events().read_all(0, i64::MAX).await?.last().map_or(0, |it| it.global_seq);
    store.wait_for("customer-sales", last, SOON).await?;
    let documents = store.docs().query::<CustomerSales>().fetch_all().await?;
    let found: HashMap<_, _> = documents.into_iter().map(|it| (it.id.0, (it.orders, it.total, it.positions))).collect();
    assert_eq!(found, folded(&store).await?);
    daemon.shutdown().await;
    Ok(())
}
