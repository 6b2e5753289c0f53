use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use rillflow::subscriptions::{RelayOptions, SubscriptionFilter, SubscriptionHandle, SubscriptionOptions};
use rillflow::{BoxError, Error, Message, OutboxMessage, Store, Transport};
use uuid::Uuid;

use super::{SOON, manual, nothing_more, positions, take, ticks, until};
use crate::epochs::restore_to;
use crate::support::{TestResult, append_raw, store};

fn only_ticks() -> SubscriptionFilter {
    SubscriptionFilter::default().types(["tick"])
}

/// One partition, or several: a filter lets nothing else pass.
fn kinds() -> [SubscriptionOptions; 2] {
    [manual(), SubscriptionOptions { partitions: 4, ..manual() }.group("workers")]
}

async fn noise(store: &Store, count: usize) -> sqlx::Result<()> {
    for _ in 0..count {
        append_raw(store, "other", 1, "1").await?;
    }
    Ok(())
}

/// Waits until every partition has followed what was read up to a position.
async fn until_at(handle: &SubscriptionHandle, position: i64) -> rillflow::Result<()> {
    until("the checkpoint", || async { Ok(handle.checkpoint().await? >= position) }).await
}

#[tokio::test]
async fn what_was_passed_without_an_event_is_looked_at_again_in_another_epoch() -> TestResult {
    for options in kinds() {
        let (_db, store) = store().await?;
        let subscriptions = store.subscriptions();
        let first = ticks(&store, Uuid::now_v7(), 0..1).await?;
        noise(&store, 4).await?; // positions 2 to 5, which this subscription passes
        let (handle, mut rx) = subscriptions.subscribe("ticks", only_ticks(), options.clone()).await?;
        assert_eq!(positions(&take(&mut rx, 1).await), first);
        handle.ack(first[0]).await?;
        until_at(&handle, 5).await?;
        handle.shutdown().await?;

        restore_to(&store, 3).await?;
        let below = ticks(&store, Uuid::now_v7(), 1..2).await?;
        assert_eq!(below, [4], "below the checkpoint");
        store.events().begin_epoch().await?;
        let next = ticks(&store, Uuid::now_v7(), 2..3).await?;
        let (handle, mut rx) = subscriptions.subscribe("ticks", only_ticks(), options).await?;
        let mut seen = positions(&take(&mut rx, 2).await);
        seen.sort_unstable();
        assert_eq!(seen, [below[0], next[0]]);
        nothing_more(&mut rx).await;
        handle.ack_up_to(next[0]).await?;
        until_at(&handle, next[0]).await?;
        handle.shutdown().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_member_that_runs_through_a_failover_passes_nothing_of_the_next_epoch() -> TestResult {
    for options in kinds() {
        let (_db, store) = store().await?;
        let first = ticks(&store, Uuid::now_v7(), 0..1).await?;
        noise(&store, 4).await?;
        let (handle, mut rx) = store.subscriptions().subscribe("ticks", only_ticks(), options).await?;
        take(&mut rx, 1).await;
        handle.ack(first[0]).await?;
        until_at(&handle, 5).await?; // and it has read up to there

        // nobody tells it, its lease goes on, and its partitions have the tokens that it knows
        restore_to(&store, 3).await?;
        let back = "UPDATE subscription_partitions SET position = 1";
        sqlx::query(back).execute(store.pool()).await?;
        let below = ticks(&store, Uuid::now_v7(), 1..2).await?;
        assert_eq!(below, [4]);
        nothing_more(&mut rx).await;
        store.events().begin_epoch().await?;
        let next = ticks(&store, Uuid::now_v7(), 2..3).await?;
        let mut seen = positions(&take(&mut rx, 2).await);
        seen.sort_unstable();
        assert_eq!(seen, [below[0], next[0]]);
        nothing_more(&mut rx).await;
        handle.ack_up_to(next[0]).await?;
        until_at(&handle, next[0]).await?;
        handle.shutdown().await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_in_hand_from_a_history_that_ended_cannot_be_acknowledged() -> TestResult {
    let (_db, store) = store().await?;
    let appended = ticks(&store, Uuid::now_v7(), 0..3).await?;
    let (handle, mut rx) = store.subscriptions().subscribe("ticks", only_ticks(), manual()).await?;
    take(&mut rx, 3).await;
    handle.ack(appended[0]).await?;
    restore_to(&store, 2).await?;
    store.events().begin_epoch().await?;
    let mut tx = store.pool().begin().await?;
    let late = handle.ack_in_tx(&mut tx, appended[2]).await;
    assert!(matches!(late, Err(Error::SubscriptionLost { .. })), "{late:?}");
    drop(tx);
    let late = handle.ack(appended[1]).await;
    assert!(matches!(late, Err(Error::SubscriptionLost { .. })), "{late:?}");
    assert_eq!(positions(&take(&mut rx, 1).await), appended[1..2], "it is still there, and comes again");
    Ok(())
}

#[tokio::test]
async fn a_subscription_whose_last_event_is_lost_is_told_and_never_goes_on() -> TestResult {
    for reused in [false, true] {
        for options in kinds() {
            let (_db, store) = store().await?;
            let subscriptions = store.subscriptions();
            let appended = ticks(&store, Uuid::now_v7(), 0..3).await?;
            let (handle, mut rx) = subscriptions.subscribe("ticks", only_ticks(), options.clone()).await?;
            take(&mut rx, 3).await;
            handle.ack_up_to(appended[2]).await?;
            handle.shutdown().await?;
            restore_to(&store, 2).await?;
            if reused {
                assert_eq!(ticks(&store, Uuid::now_v7(), 3..4).await?, [3], "another event");
            }
            store.events().begin_epoch().await?;
            ticks(&store, Uuid::now_v7(), 4..5).await?;
            let (handle, mut rx) = subscriptions.subscribe("ticks", only_ticks(), options).await?;
            assert!(tokio::time::timeout(SOON, rx.recv()).await?.is_none());
            let end = handle.shutdown().await;
            assert!(matches!(&end, Err(Error::HistoryDiverged { name, .. }) if name == "ticks"), "{end:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn where_a_group_began_or_was_sent_is_good_for_the_next_epoch_too() -> TestResult {
    let (_db, store) = store().await?;
    let subscriptions = store.subscriptions();
    let before = ticks(&store, Uuid::now_v7(), 0..3).await?;
    let (now, mut from_now) = subscriptions.subscribe("now", only_ticks(), SubscriptionOptions::from_now()).await?;
    let (sent, _rx) = subscriptions.subscribe("sent", only_ticks(), manual()).await?;
    subscriptions.reset("sent", None, before[1]).await?;
    now.shutdown().await?;
    sent.shutdown().await?;
    assert!(from_now.recv().await.is_none());

    store.events().begin_epoch().await?;
    let next = ticks(&store, Uuid::now_v7(), 3..4).await?;
    let (_now, mut from_now) = subscriptions.subscribe("now", only_ticks(), manual()).await?;
    assert_eq!(positions(&take(&mut from_now, 1).await), next);
    let (_sent, mut rx) = subscriptions.subscribe("sent", only_ticks(), manual()).await?;
    assert_eq!(positions(&take(&mut rx, 2).await), [before[2], next[0]]);
    Ok(())
}

#[tokio::test]
async fn tail_goes_on_in_another_epoch_or_says_that_it_cannot() -> TestResult {
    let (_db, store) = store().await?;
    let first = ticks(&store, Uuid::now_v7(), 0..1).await?;
    let mut tail = store.subscriptions().tail(only_ticks(), 0)?;
    assert_eq!(tokio::time::timeout(SOON, tail.next()).await?.expect("it never ends")?.global_seq, first[0]);
    let epoch = store.events().begin_epoch().await?;
    let next = ticks(&store, Uuid::now_v7(), 1..2).await?;
    assert_eq!(tokio::time::timeout(SOON, tail.next()).await?.expect("it never ends")?.global_seq, next[0]);
    restore_to(&store, epoch.after_position).await?;
    store.events().begin_epoch().await?;
    ticks(&store, Uuid::now_v7(), 2..4).await?;
    let told = tokio::time::timeout(SOON, tail.next()).await?.expect("it never ends");
    assert!(matches!(told, Err(Error::HistoryDiverged { .. })), "{told:?}");
    Ok(())
}

/// A receiver that remembers what it got.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Vec<String>>>);

impl Receiver {
    fn got(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Transport for Receiver {
    async fn publish(&self, messages: &[OutboxMessage]) -> Vec<Result<(), BoxError>> {
        let got = messages.iter().map(|it| it.payload.to_string());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(got);
        messages.iter().map(|_| Ok(())).collect()
    }
}

async fn publish(store: &Store, number: i64) -> rillflow::Result<()> {
    store.outbox().publish(Message::new("topic", "key", &number)).await.map(drop)
}

#[tokio::test]
async fn a_relay_hands_on_messages_whose_positions_it_had_passed_in_an_older_epoch() -> TestResult {
    for keep in [false, true] {
        let (_db, store) = store().await?;
        let receiver = Receiver::default();
        let mut options = RelayOptions::default();
        options.keep = keep;
        publish(&store, 1).await?;
        noise(&store, 4).await?; // positions 2 to 5
        let relay = store.subscriptions().relay_outbox("relay", receiver.clone(), options.clone()).await?;
        let passed = || async {
            let status = store.subscriptions().group_status("relay", "relay").await?;
            Ok(status.is_some_and(|it| it.position >= 5))
        };
        until("all passed", passed).await?;
        relay.shutdown().await?;

        restore_to(&store, 3).await?;
        publish(&store, 2).await?; // position 4
        store.events().begin_epoch().await?;
        publish(&store, 3).await?;
        let relay = store.subscriptions().relay_outbox("relay", receiver.clone(), options).await?;
        until("the last is handed on", || async { Ok(receiver.got().iter().any(|it| it == "3")) }).await?;
        // another one would have had every chance
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut got = receiver.got();
        got.dedup(); // one that was not deleted yet may come again
        assert_eq!(got, ["1", "2", "3"], "keep {keep}");
        relay.shutdown().await?;
    }
    Ok(())
}
