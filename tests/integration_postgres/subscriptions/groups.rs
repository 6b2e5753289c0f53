use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rillflow::subscriptions::{SubscriptionHandle, SubscriptionOptions, SubscriptionReceiver};
use rillflow::{Expected, Store};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{assert_stream_order, manual, nothing_more, positions, short, subscribe, take, ticks, until};
use crate::support::{TestResult, store, store_with, tick};

fn member() -> SubscriptionOptions {
    short(SubscriptionOptions { partitions: 8, ..manual() }.group("workers"))
}

/// What all members of a group did, in the order they did it: stream, version, position.
#[derive(Clone, Default)]
struct Done(Arc<Mutex<Vec<(Uuid, i64, i64)>>>);

impl Done {
    fn all(&self) -> Vec<(Uuid, i64, i64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self) -> usize {
        self.all().iter().map(|it| it.2).collect::<HashSet<_>>().len()
    }

    /// A member at work: notes each event, then acknowledges it.
    fn work(
        &self,
        handle: SubscriptionHandle,
        mut rx: SubscriptionReceiver,
    ) -> (Arc<SubscriptionHandle>, JoinHandle<usize>) {
        let (done, handle) = (self.clone(), Arc::new(handle));
        let acking = handle.clone();
        let work = tokio::spawn(async move {
            let mut count = 0;
            while let Some(event) = rx.recv().await {
                done.0.lock().unwrap_or_else(PoisonError::into_inner).push((
                    event.stream_id.0,
                    event.stream_seq,
                    event.global_seq,
                ));
                count += 1;
                // one that is lost meanwhile is done by whoever has it now
                let _lost = acking.ack(event.global_seq).await;
            }
            count
        });
        (handle, work)
    }
}

async fn append_everywhere(store: &Store, streams: &[Uuid], rounds: i64) -> rillflow::Result<usize> {
    for round in 0..rounds {
        for stream in streams {
            store.events().append_stream(*stream, Expected::Any, [tick(round)]).await?;
        }
    }
    Ok(streams.len() * rounds as usize)
}

fn streams(count: usize) -> Vec<Uuid> {
    (0..count).map(|_| Uuid::now_v7()).collect()
}

/// Every stream's versions came 1, 2, 3 and each once.
fn assert_exactly_once(done: &[(Uuid, i64, i64)]) {
    let mut last: HashMap<Uuid, i64> = HashMap::new();
    for (stream, version, _) in done {
        let before = last.insert(*stream, *version).unwrap_or(0);
        assert_eq!(*version, before + 1, "{stream}");
    }
}

#[tokio::test]
async fn without_a_group_the_second_takes_over_when_the_first_is_gone() -> TestResult {
    let (_db, store) = store().await?;
    // who says that it goes is waited for no longer, however long its lease is
    let (first, mut firsts) = subscribe(&store, "one", manual()).await?;
    let mut appended = ticks(&store, Uuid::now_v7(), 0..2).await?;
    take(&mut firsts, 1).await;
    let (_second, mut seconds) = subscribe(&store, "one", short(manual())).await?;
    nothing_more(&mut seconds).await;
    first.ack(appended[0]).await?;
    first.shutdown().await?;
    assert_eq!(positions(&take(&mut seconds, 1).await), appended[1..]);

    // and when it stops without a word: after the lease
    let (third, mut thirds) = subscribe(&store, "one", short(manual())).await?;
    drop((_second, seconds));
    appended.extend(ticks(&store, Uuid::now_v7(), 2..3).await?);
    assert_eq!(positions(&take(&mut thirds, 2).await), appended[1..]);
    third.ack_up_to(appended[2]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_come_and_go_under_load_and_every_event_is_done_once_and_in_order() -> TestResult {
    let (_db, store) = store_with(|it| it.max_connections(8)).await?;
    let (streams, done) = (streams(24), Done::default());
    let mut members = Vec::new();
    let mut expected = 0;
    // long enough for any machine: who leaves says so, and nobody waits for a lease here
    let options = SubscriptionOptions { lease_ttl: Duration::from_secs(3600), ..member() };
    for _ in 0..4 {
        let (handle, rx) = subscribe(&store, "busy", options.clone()).await?;
        until("its share", || async { Ok(!handle.health().partitions.is_empty()) }).await?;
        members.push(done.work(handle, rx));
        expected += append_everywhere(&store, &streams, 8).await?;
    }
    let mut worked = Vec::new();
    while members.len() > 1 {
        let (handle, work) = members.remove(0);
        let ((), appended) = tokio::try_join!(handle.shutdown(), append_everywhere(&store, &streams, 8))?;
        expected += appended;
        worked.push(work.await?);
    }
    until("all done", || async { Ok(done.count() == expected) }).await?;
    let (last, work) = members.remove(0);
    until("all stored", || async { Ok(last.status().await?.lag == 0) }).await?;
    last.shutdown().await?;
    worked.push(work.await?);
    assert_exactly_once(&done.all());
    println!("events done by each member: {worked:?}");
    assert!(worked.iter().all(|it| *it > 0), "somebody never had anything to do: {worked:?}");
    Ok(())
}

#[tokio::test]
async fn what_a_member_has_in_hand_moves_on_only_when_it_is_done() -> TestResult {
    let (_db, store) = store().await?;
    let (streams, options) = (streams(24), SubscriptionOptions { partitions: 2, ..member() });
    append_everywhere(&store, &streams, 1).await?;
    let (old, mut olds) = subscribe(&store, "rebalance", options.clone()).await?;
    let taken = take(&mut olds, 24).await;
    let (new, mut news) = subscribe(&store, "rebalance", options).await?;
    until("two members", || async { Ok(new.status().await?.members.len() == 2) }).await?;
    append_everywhere(&store, &streams, 1).await?;
    nothing_more(&mut news).await;
    assert_eq!(old.health().partitions.len(), 2, "both have something in hand");
    for event in &taken {
        old.ack(event.global_seq).await?;
    }
    until("an even share", || async { Ok(old.health().partitions.len() == 1 && new.health().partitions.len() == 1) })
        .await?;
    let second = take(&mut news, 1).await;
    assert_eq!(second[0].stream_seq, 2, "the first of this stream was done before");
    let status = new.status().await?;
    let owners: BTreeSet<_> = status.partitions.iter().filter_map(|it| it.owner).collect();
    assert_eq!((owners.len(), status.partitions.len()), (2, 2));
    assert!(status.lag > 0);
    Ok(())
}

#[tokio::test]
async fn five_subscriptions_work_on_a_pool_of_two_and_hold_none_while_they_wait() -> TestResult {
    let (_db, store) = store_with(|it| it.max_connections(2).batch_appends(false)).await?;
    let mut all = Vec::new();
    for number in 0..5 {
        all.push(subscribe(&store, &format!("sub-{number}"), SubscriptionOptions::default()).await?);
    }
    let streams = streams(4);
    append_everywhere(&store, &streams, 25).await?;
    for (_, rx) in &mut all {
        let taken: Vec<_> = take(rx, 100).await.iter().map(|it| (it.stream_id.0, it.stream_seq)).collect();
        assert_stream_order(&taken);
    }
    until("idle", || async { Ok(store.pool().num_idle() == store.pool().size() as usize) }).await?;
    let listeners = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    let listeners: i64 = sqlx::query_scalar(listeners).fetch_one(store.pool()).await?;
    assert_eq!(listeners, 1, "one connection listens for all of them");
    drop(all);
    let gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    until("nobody listens", || async { Ok(sqlx::query_scalar(gone).fetch_one(store.pool()).await.unwrap_or(false)) })
        .await?;
    Ok(())
}

/// How far each partition is.
async fn partitions(store: &Store, name: &str) -> rillflow::Result<Vec<i64>> {
    let status = store.subscriptions().group_status(name, "workers").await?;
    Ok(status.map_or(vec![], |it| it.partitions.iter().map(|it| it.position).collect()))
}

#[tokio::test]
async fn a_partition_in_which_nothing_happens_follows_the_mark_and_is_given_on_so() -> TestResult {
    let (_db, store) = store().await?;
    // long leases: nothing here waits for a beat
    let options = SubscriptionOptions { partitions: 16, ..manual() }.group("workers");
    let appended = ticks(&store, Uuid::now_v7(), 0..5).await?;
    let (first, mut firsts) = subscribe(&store, "few", options.clone()).await?;
    take(&mut firsts, 5).await;
    first.ack_up_to(appended[3]).await?;
    let all_but_one = async || {
        let reached = partitions(&store, "few").await?;
        Ok(reached.iter().filter(|it| **it == appended[4]).count() == 15 && reached.contains(&appended[3]))
    };
    until("fifteen partitions at the mark", all_but_one).await?;
    assert_eq!(first.status().await?.position, appended[3], "what is in hand is not passed");
    first.ack(appended[4]).await?;
    until("nothing is behind", || async { Ok(first.status().await?.lag == 0) }).await?;

    // partitions move on as far as they have come
    let (second, _seconds) = subscribe(&store, "few", options.clone()).await?;
    let more = ticks(&store, Uuid::now_v7(), 0..1).await?;
    until("an even share", || async { Ok(second.health().partitions.len() == 8) }).await?;
    assert!(partitions(&store, "few").await?.iter().all(|it| *it >= appended[4]));
    second.shutdown().await?;
    first.shutdown().await?;

    // one that comes for a moment leaves all of them where it stopped reading
    let (third, mut thirds) = subscribe(&store, "few", options).await?;
    take(&mut thirds, 1).await;
    third.ack(more[0]).await?;
    until("all are read", || async { Ok(third.health().partitions.len() == 16 && third.health().ready == 0) }).await?;
    third.shutdown().await?;
    assert_eq!(partitions(&store, "few").await?, [more[0]; 16]);
    Ok(())
}

#[tokio::test]
async fn members_hear_each_other_in_a_schema_with_the_longest_name() -> TestResult {
    let schema = format!("tenant_{}", "x".repeat(56)); // 63 bytes
    let (_db, store) = store_with(|it| it.schema(&schema)).await?;
    // who is not told would wait for a beat, a third of this
    let lease_ttl = Duration::from_secs(3600);
    let options = SubscriptionOptions { partitions: 2, lease_ttl, ..manual() }.group("workers");
    let (first, mut firsts) = subscribe(&store, "long", options.clone()).await?;
    let appended = ticks(&store, Uuid::now_v7(), 0..1).await?;
    assert_eq!(positions(&take(&mut firsts, 1).await), appended);
    first.ack(appended[0]).await?;
    let (second, _seconds) = subscribe(&store, "long", options).await?;
    until("one partition each", || async { Ok(second.health().partitions.len() == 1) }).await?;
    store.subscriptions().pause("long", None).await?;
    Ok(until("none", || async { Ok(first.health().partitions.is_empty()) }).await?)
}
