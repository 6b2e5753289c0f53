use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rillflow::subscriptions::{SubscriptionHandle, SubscriptionOptions, SubscriptionReceiver};
use rillflow::{Error, EventEnvelope, Expected, Store};
use sqlx::PgPool;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{manual, short, subscribe, until};
use crate::faults::{Process, Proxy, cut_every_50_ms};
use crate::support::{Db, TestResult, store_with, tick};

const STREAMS: i64 = 12;
const MEMBER: &str = "RILLFLOW_TEST_MEMBER_OF";

fn member() -> SubscriptionOptions {
    short(SubscriptionOptions { partitions: 6, ..manual() }.group("workers"))
}

/// A database with a table of effects: one row for each that was committed, in the order of commits of a stream.
async fn database() -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store_with(|it| it.max_connections(8).connect_timeout(Duration::from_secs(2))).await?;
    let effects = "CREATE TABLE effects (id bigserial, stream uuid, version bigint, position bigint)";
    sqlx::query(effects).execute(store.pool()).await?;
    Ok((db, store))
}

/// A member at work: the effect of each event and its acknowledgement commit together.
async fn work(store: Store, handle: Arc<SubscriptionHandle>, mut rx: SubscriptionReceiver) {
    while let Some(event) = rx.recv().await {
        while let Err(error) = take_effect(store.pool(), &handle, &event).await {
            match error {
                // whoever has it now does it; or this one did, and was not told
                Error::SubscriptionLost { .. } | Error::AlreadyAcked { .. } | Error::NotDelivered { .. } => break,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }
}

async fn take_effect(pool: &PgPool, handle: &SubscriptionHandle, event: &EventEnvelope) -> rillflow::Result<()> {
    let mut tx = pool.begin().await?;
    sqlx::query("INSERT INTO effects (stream, version, position) VALUES ($1, $2, $3)")
        .bind(event.stream_id.0)
        .bind(event.stream_seq)
        .bind(event.global_seq)
        .execute(&mut *tx)
        .await?;
    handle.ack_in_tx(&mut tx, event.global_seq).await?;
    Ok(tx.commit().await?)
}

async fn start_member(store: &Store, members: &mut JoinSet<()>) -> rillflow::Result<Arc<SubscriptionHandle>> {
    let (handle, rx) = subscribe(store, "faults", member()).await?;
    let handle = Arc::new(handle);
    members.spawn(work(store.clone(), handle.clone(), rx));
    Ok(handle)
}

/// Appends one event after another, each until it is there, to streams in turn.
fn start_writer(store: &Store, stop: &Arc<AtomicBool>) -> tokio::task::JoinHandle<i64> {
    let (store, stop) = (store.clone(), stop.clone());
    tokio::spawn(async move {
        let mut number = 0;
        while !stop.load(Ordering::Relaxed) {
            let (id, stream) = (Uuid::now_v7(), Uuid::from_u128((number % STREAMS) as u128 + 1));
            // its own id makes sure that it is there once, however often it is sent
            while let Err(_cut) = store.events().append_stream(stream, Expected::Any, [tick(number).with_id(id)]).await
            {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            number += 1;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        number
    })
}

/// Every event had its effect once, and each stream's effects are in the order of its events.
async fn assert_all_done(pool: &PgPool, appended: i64) -> TestResult {
    let done = "SELECT count(DISTINCT position) = $1 FROM effects";
    until("every event has its effect", || async {
        Ok(sqlx::query_scalar(done).bind(appended).fetch_one(pool).await.unwrap_or(false))
    })
    .await?;
    let rows: Vec<(Uuid, i64)> =
        sqlx::query_as("SELECT stream, version FROM effects ORDER BY id").fetch_all(pool).await?;
    assert_eq!(rows.len() as i64, appended, "an effect is there twice");
    let mut last = std::collections::HashMap::new();
    for (stream, version) in rows {
        let before = last.insert(stream, version).unwrap_or(0);
        assert_eq!(version, before + 1, "{stream}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_cut_every_50_ms_and_each_effect_is_there_once() -> TestResult {
    let (db, store) = database().await?;
    let (stop, mut members) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    let mut handles = Vec::new();
    for _ in 0..3 {
        handles.push(start_member(&store, &mut members).await?);
    }
    let writer = start_writer(&store, &stop);
    let cuts = cut_every_50_ms(db.url(), 60).await?;
    stop.store(true, Ordering::Relaxed);
    let appended = writer.await?;
    println!("{cuts} connections cut, {appended} events");
    assert!(cuts > 50 && appended > 50, "hardly anything happened");
    assert_all_done(store.pool(), appended).await?;
    for handle in &handles {
        handle.shutdown().await?;
        assert!(handle.health().trouble.is_none() || cuts > 0);
    }
    Ok(())
}

/// A process of its own that is a member, when it is told of which database; otherwise nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_in_a_process_of_its_own() -> TestResult {
    let Ok(url) = std::env::var(MEMBER) else { return Ok(()) };
    let store = Store::builder(&url).max_connections(4).build().await?;
    let mut members = JoinSet::new();
    let _handle = start_member(&store, &mut members).await?;
    members.join_all().await;
    Ok(())
}

fn start_member_process(db: &Db) -> Result<Process, Box<dyn std::error::Error>> {
    Process::start("subscriptions::faults::a_member_in_a_process_of_its_own", &[(MEMBER, db.url())])
}

async fn until_more_is_done(pool: &PgPool) -> rillflow::Result<()> {
    let done = async || Ok::<i64, Error>(sqlx::query_scalar("SELECT count(*) FROM effects").fetch_one(pool).await?);
    let enough = done().await? + 20;
    until("more effects", async || Ok(done().await? >= enough)).await
}

async fn until_members(store: &Store, count: usize) -> rillflow::Result<()> {
    until("members", || async {
        let status = store.subscriptions().group_status("faults", "workers").await?;
        let Some(status) = status else { return Ok(false) };
        let owners: std::collections::HashSet<_> = status.partitions.iter().map(|it| it.owner).collect();
        Ok(status.members.len() == count && owners.len() == count)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_are_killed_or_stand_still_and_return_double_and_lose_nothing() -> TestResult {
    let (db, store) = database().await?;
    let stop = Arc::new(AtomicBool::new(false));
    let (killed, frozen) = (start_member_process(&db)?, start_member_process(&db)?);
    let _steady = start_member_process(&db)?;
    let writer = start_writer(&store, &stop);
    until_members(&store, 3).await?;
    until_more_is_done(store.pool()).await?;
    drop(killed);
    frozen.signal("-STOP")?;
    until_members(&store, 1).await?;
    frozen.signal("-CONT")?;
    until_members(&store, 2).await?;
    until_more_is_done(store.pool()).await?;
    stop.store(true, Ordering::Relaxed);
    let appended = writer.await?;
    println!("{appended} events");
    assert_all_done(store.pool(), appended).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_dies_between_effect_and_acknowledgement_leaves_neither() -> TestResult {
    let (_db, store) = database().await?;
    let stream = Uuid::from_u128(1);
    store.events().append_stream(stream, Expected::Any, [tick(0)]).await?;
    let (handle, mut rx) = subscribe(&store, "faults", member()).await?;
    let pool = store.pool().clone();
    let dies = tokio::spawn(async move {
        let event = rx.recv().await.expect("an event");
        let mut tx = pool.begin().await.expect("a transaction");
        sqlx::query("INSERT INTO effects (stream, version, position) VALUES ($1, 1, $2)")
            .bind(stream)
            .bind(event.global_seq)
            .execute(&mut *tx)
            .await
            .expect("an effect");
        panic!("the handler dies");
    });
    assert!(dies.await.is_err());
    drop(handle);
    let mut members = JoinSet::new();
    let _heir = start_member(&store, &mut members).await?;
    assert_all_done(store.pool(), 1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_cuts_and_stalls_is_survived() -> TestResult {
    let (db, store) = database().await?;
    let proxy = Proxy::start(db.url()).await?;
    let behind = Store::builder(proxy.url()).max_connections(4).connect_timeout(Duration::from_secs(2)).build().await?;
    let (stop, mut members) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    let through = start_member(&behind, &mut members).await?;
    let writer = start_writer(&store, &stop);
    for _ in 0..6 {
        until_more_is_done(store.pool()).await?;
        proxy.cut();
    }
    proxy.stall();
    // longer than its lease, and shorter than it takes a connection to be given up
    tokio::time::sleep(Duration::from_millis(1500)).await;
    proxy.flow();
    until_more_is_done(store.pool()).await?;
    stop.store(true, Ordering::Relaxed);
    let appended = writer.await?;
    println!("{appended} events, {} connections through the proxy", proxy.connections());
    assert!(proxy.connections() > 6, "nothing was cut");
    assert_all_done(store.pool(), appended).await?;
    through.shutdown().await?;
    Ok(())
}
