use std::time::Duration;

use rillflow::Error;
use rillflow::subscriptions::{AckMode, SubscriptionOptions};
use uuid::Uuid;

use super::{manual, nothing_more, positions, short, subscribe, take, ticks, until};
use crate::support::{TestResult, store};

#[tokio::test]
async fn auto_acknowledges_an_event_when_the_next_one_is_asked_for() -> TestResult {
    let (_db, store) = store().await?;
    let appended = ticks(&store, Uuid::now_v7(), 0..3).await?;
    let (handle, mut rx) = subscribe(&store, "auto", SubscriptionOptions::default()).await?;
    take(&mut rx, 2).await;
    handle.shutdown().await?;
    let (_handle, mut rx) = subscribe(&store, "auto", SubscriptionOptions::default()).await?;
    assert_eq!(positions(&take(&mut rx, 2).await), appended[1..], "the second was taken, but no third was asked for");
    Ok(())
}

#[tokio::test]
async fn acknowledged_out_of_order_the_checkpoint_waits_for_the_first_and_no_event_comes_twice() -> TestResult {
    let (_db, store) = store().await?;
    let appended = ticks(&store, Uuid::now_v7(), 0..5).await?;
    let (handle, mut rx) = subscribe(&store, "manual", manual()).await?;
    take(&mut rx, 4).await;
    handle.ack(appended[2]).await?;
    handle.ack(appended[1]).await?;
    assert!(handle.checkpoint().await? < appended[0]);
    handle.shutdown().await?;

    let (handle, mut rx) = subscribe(&store, "manual", manual()).await?;
    assert_eq!(positions(&take(&mut rx, 3).await), [appended[0], appended[3], appended[4]]);
    handle.ack(appended[0]).await?;
    assert_eq!(handle.checkpoint().await?, appended[2], "the two behind it were done before");
    handle.ack(appended[0]).await?;
    handle.ack_up_to(appended[4]).await?;
    assert_eq!(handle.checkpoint().await?, appended[4]);
    let unknown = handle.ack(appended[4] + 1000).await;
    assert!(matches!(unknown, Err(Error::NotDelivered { .. })), "{unknown:?}");
    Ok(())
}

#[tokio::test]
async fn no_more_events_are_in_flight_than_allowed() -> TestResult {
    let (_db, store) = store().await?;
    let appended = ticks(&store, Uuid::now_v7(), 0..4).await?;
    let options = SubscriptionOptions { max_in_flight: 2, ack_mode: AckMode::Manual, ..Default::default() };
    let (handle, mut rx) = subscribe(&store, "few", options).await?;
    take(&mut rx, 2).await;
    nothing_more(&mut rx).await;
    assert_eq!(handle.health().in_flight, 2);
    handle.ack(appended[1]).await?;
    assert_eq!(positions(&take(&mut rx, 1).await), [appended[2]]);
    nothing_more(&mut rx).await;
    Ok(())
}

#[tokio::test]
async fn an_acknowledgement_in_a_transaction_is_there_when_its_effect_is() -> TestResult {
    let (_db, store) = store().await?;
    sqlx::query("CREATE TABLE effects (position bigint)").execute(store.pool()).await?;
    let appended = ticks(&store, Uuid::now_v7(), 0..2).await?;
    let (handle, mut rx) = subscribe(&store, "tx", manual()).await?;
    let effect = "INSERT INTO effects VALUES ($1)";
    take(&mut rx, 2).await;

    let mut tx = store.pool().begin().await?;
    sqlx::query(effect).bind(appended[0]).execute(&mut *tx).await?;
    handle.ack_in_tx(&mut tx, appended[0]).await?;
    tx.rollback().await?;
    assert!(handle.checkpoint().await? < appended[0], "rolled back with its effect");

    let mut tx = store.pool().begin().await?;
    sqlx::query(effect).bind(appended[0]).execute(&mut *tx).await?;
    handle.ack_in_tx(&mut tx, appended[0]).await?;
    tx.commit().await?;
    assert_eq!(handle.checkpoint().await?, appended[0]);

    let mut tx = store.pool().begin().await?;
    handle.ack_in_tx(&mut tx, appended[1]).await?;
    tx.commit().await?;
    assert_eq!(handle.checkpoint().await?, appended[1]);

    let mut tx = store.pool().begin().await?;
    sqlx::query(effect).bind(appended[0]).execute(&mut *tx).await?;
    let again = handle.ack_in_tx(&mut tx, appended[0]).await;
    assert!(matches!(again, Err(Error::AlreadyAcked { .. })), "{again:?}");
    drop(tx);
    let effects: i64 = sqlx::query_scalar("SELECT count(*) FROM effects").fetch_one(store.pool()).await?;
    assert_eq!(effects, 1);
    Ok(())
}

#[tokio::test]
async fn a_refused_event_comes_again_before_the_others_of_its_stream() -> TestResult {
    let (_db, store) = store().await?;
    let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
    let of_one = ticks(&store, one, 0..1).await?;
    let of_two = ticks(&store, two, 0..1).await?;
    let rest = ticks(&store, one, 1..3).await?;
    let (handle, mut rx) = subscribe(&store, "nack", manual()).await?;
    assert_eq!(positions(&take(&mut rx, 1).await), of_one);
    handle.nack(of_one[0], Duration::from_secs(3), "not now").await?; // ten times as long as `nothing_more` waits
    assert_eq!(positions(&take(&mut rx, 1).await), of_two, "another stream goes on");
    nothing_more(&mut rx).await;
    handle.ack(of_two[0]).await?;
    assert_eq!(positions(&take(&mut rx, 1).await), of_one);
    nothing_more(&mut rx).await;
    handle.ack(of_one[0]).await?;
    assert_eq!(positions(&take(&mut rx, 2).await), rest);
    handle.ack_up_to(rest[1]).await?;
    assert_eq!(handle.checkpoint().await?, rest[1]);
    Ok(())
}

#[tokio::test]
async fn an_event_refused_too_often_becomes_a_dead_letter_and_can_be_requeued() -> TestResult {
    let (_db, store) = store().await?;
    let appended = ticks(&store, Uuid::now_v7(), 0..2).await?;
    let options = SubscriptionOptions { max_attempts: 2, ..manual() };
    let (handle, mut rx) = subscribe(&store, "dead", options.clone()).await?;
    for _ in 0..2 {
        assert_eq!(positions(&take(&mut rx, 1).await), appended[..1]);
        handle.nack(appended[0], Duration::ZERO, "it never works").await?;
    }
    assert_eq!(positions(&take(&mut rx, 1).await), appended[1..], "the stream goes on");
    handle.ack(appended[1]).await?;
    assert_eq!(handle.checkpoint().await?, appended[1]);
    let letters = store.subscriptions().dead_letters("dead", Some(""), 10).await?;
    let [letter] = &letters[..] else { return Err(format!("{letters:?}").into()) };
    assert_eq!((letter.position, letter.attempts), (appended[0], 2));
    assert_eq!(letter.error.as_deref(), Some("it never works"));

    assert_eq!(store.subscriptions().requeue("dead", &[letter.id]).await?, 1);
    assert_eq!(positions(&take(&mut rx, 1).await), appended[..1]);
    handle.nack(appended[0], Duration::ZERO, "not yet").await?;
    assert_eq!(positions(&take(&mut rx, 1).await), appended[..1]);
    handle.ack(appended[0]).await?;
    assert!(store.subscriptions().dead_letters("dead", None, 10).await?.is_empty());
    let status = handle.status().await?;
    assert_eq!((status.retries, status.dead_letters, status.lag), (0, 0, 0));
    handle.shutdown().await?;
    let (_handle, mut rx) = subscribe(&store, "dead", options).await?;
    nothing_more(&mut rx).await;
    Ok(())
}

#[tokio::test]
async fn what_waits_to_be_tried_again_is_tried_by_whoever_comes_next() -> TestResult {
    let (_db, store) = store().await?;
    let appended = ticks(&store, Uuid::now_v7(), 0..2).await?;
    let (handle, mut rx) = subscribe(&store, "later", manual()).await?;
    take(&mut rx, 1).await;
    handle.nack(appended[0], Duration::from_millis(200), "not now").await?;
    handle.shutdown().await?;
    let (handle, mut rx) = subscribe(&store, "later", manual()).await?;
    assert_eq!(positions(&take(&mut rx, 1).await), appended[..1]);
    nothing_more(&mut rx).await;
    let mut tx = store.pool().begin().await?;
    handle.ack_in_tx(&mut tx, appended[0]).await?;
    tx.commit().await?;
    assert_eq!(positions(&take(&mut rx, 1).await), appended[1..]);
    let mut tx = store.pool().begin().await?;
    let again = handle.ack_in_tx(&mut tx, appended[0]).await;
    assert!(matches!(again, Err(Error::AlreadyAcked { .. })), "{again:?}");
    Ok(())
}

#[tokio::test]
async fn an_acknowledgement_by_one_whose_lease_was_taken_over_is_refused() -> TestResult {
    let (_db, store) = store().await?;
    sqlx::query("CREATE TABLE effects (position bigint)").execute(store.pool()).await?;
    let appended = ticks(&store, Uuid::now_v7(), 0..2).await?;
    let (zombie, mut rx) = subscribe(&store, "zombie", short(manual())).await?;
    take(&mut rx, 1).await;
    // as if it had stood still for its whole lease: another member came, counted it as dead, and owns the partition
    let other = Uuid::now_v7();
    let takeover = format!(
        "INSERT INTO subscription_members (member, subscription, group_name, alive_until) \
         VALUES ('{other}', 'zombie', '', now() + interval '1 hour'); \
         UPDATE subscription_partitions SET owner = '{other}', token = token + 1"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(takeover)).execute(store.pool()).await?;
    let mut tx = store.pool().begin().await?;
    sqlx::query("INSERT INTO effects VALUES (1)").execute(&mut *tx).await?;
    let late = zombie.ack_in_tx(&mut tx, appended[0]).await;
    assert!(matches!(late, Err(Error::SubscriptionLost { .. })), "{late:?}");
    assert!(
        tx.commit().await.is_err() || {
            let effects: i64 = sqlx::query_scalar("SELECT count(*) FROM effects").fetch_one(store.pool()).await?;
            effects == 0
        }
    );
    let late = zombie.ack(appended[0]).await;
    assert!(matches!(late, Err(Error::SubscriptionLost { .. })), "{late:?}");
    zombie.shutdown().await?;
    let gone = "DELETE FROM subscription_members WHERE member = $1";
    sqlx::query(gone).bind(other).execute(store.pool()).await?;
    let (heir, mut heirs) = subscribe(&store, "zombie", manual()).await?;
    assert_eq!(positions(&take(&mut heirs, 2).await), appended);
    heir.ack_up_to(appended[1]).await?;
    assert_eq!(heir.checkpoint().await?, appended[1]);
    Ok(())
}

#[tokio::test]
async fn a_replaced_history_ends_a_subscription_instead_of_skipping_events() -> TestResult {
    let (_db, store) = store().await?;
    let appended = ticks(&store, Uuid::now_v7(), 0..1).await?;
    let (handle, mut rx) = subscribe(&store, "history", manual()).await?;
    take(&mut rx, 1).await;
    handle.ack(appended[0]).await?;
    handle.shutdown().await?;
    sqlx::query("UPDATE subscription_partitions SET event_id = gen_random_uuid()").execute(store.pool()).await?;
    let (handle, mut rx) = subscribe(&store, "history", manual()).await?;
    assert!(rx.recv().await.is_none());
    let end = handle.shutdown().await;
    assert!(matches!(end, Err(Error::HistoryDiverged { .. })), "{end:?}");
    Ok(())
}

#[tokio::test]
async fn reset_pause_and_delete_reach_those_who_run() -> TestResult {
    let (_db, store) = store().await?;
    let appended = ticks(&store, Uuid::now_v7(), 0..2).await?;
    let subscriptions = store.subscriptions();
    let (handle, mut rx) = subscribe(&store, "admin", SubscriptionOptions::default()).await?;
    take(&mut rx, 2).await;
    subscriptions.reset("admin", None, 0).await?;
    assert_eq!(positions(&take(&mut rx, 2).await), appended);
    handle.pause().await?;
    nothing_more(&mut rx).await; // asking says that the last one is done
    until("nothing held", || async { Ok(handle.health().partitions.is_empty()) }).await?;
    let more = ticks(&store, Uuid::now_v7(), 0..1).await?;
    nothing_more(&mut rx).await;
    subscriptions.resume("admin", None).await?;
    assert_eq!(positions(&take(&mut rx, 1).await), more);
    assert!(matches!(subscriptions.pause("nobody", None).await, Err(Error::UnknownSubscription { .. })));
    assert!(subscriptions.delete("admin").await?);
    assert!(rx.recv().await.is_none());
    assert!(matches!(handle.shutdown().await, Err(Error::UnknownSubscription { .. })));
    Ok(())
}

#[tokio::test]
async fn a_stream_that_fails_holds_up_no_other_however_many_of_its_events_wait() -> TestResult {
    let (_db, store) = store().await?;
    let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
    let of_one = ticks(&store, one, 0..100).await?;
    let of_two = ticks(&store, two, 0..20).await?;
    let options = SubscriptionOptions { max_in_flight: 4, batch_size: 10, ..manual() };
    let (handle, mut rx) = subscribe(&store, "stuck", options.clone()).await?;
    assert_eq!(positions(&take(&mut rx, 1).await), of_one[..1]);
    handle.nack(of_one[0], Duration::from_secs(3600), "not now").await?;
    for position in &of_two[..10] {
        assert_eq!(positions(&take(&mut rx, 1).await), [*position]);
        handle.ack(*position).await?;
    }
    handle.shutdown().await?;

    // and for whoever comes next, as for what comes next
    let (handle, mut rx) = subscribe(&store, "stuck", options).await?;
    let later = ticks(&store, one, 100..110).await?;
    for position in &of_two[10..] {
        assert_eq!(positions(&take(&mut rx, 1).await), [*position]);
        handle.ack(*position).await?;
    }
    nothing_more(&mut rx).await;
    assert_eq!(handle.health().ready, 0, "what waits takes no room");
    until("all of it waits", || async { Ok(handle.status().await?.lag == 0) }).await?;
    assert_eq!(handle.status().await?.retries, 110);

    let now = "UPDATE subscription_retries SET retry_at = now() WHERE head";
    sqlx::query(now).execute(store.pool()).await?;
    sqlx::query("SELECT pg_notify('public.rillflow_subscriptions', 'stuck')").execute(store.pool()).await?;
    for position in of_one.iter().chain(&later) {
        assert_eq!(positions(&take(&mut rx, 1).await), [*position], "in the order of the stream");
        if position % 7 == 0 {
            handle.nack(*position, Duration::ZERO, "once more").await?;
            assert_eq!(positions(&take(&mut rx, 1).await), [*position]);
        }
        handle.ack(*position).await?;
    }
    assert_eq!(handle.status().await?.retries, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_refused_again_and_again_comes_again_each_time() -> TestResult {
    let (_db, store) = store().await?;
    let appended = ticks(&store, Uuid::now_v7(), 0..1).await?;
    let (handle, mut rx) = subscribe(&store, "often", SubscriptionOptions { max_attempts: 1000, ..manual() }).await?;
    for _ in 0..300 {
        assert_eq!(positions(&take(&mut rx, 1).await), appended);
        // in the moment in which its member asks what else is due
        handle.nack(appended[0], Duration::ZERO, "not now").await?;
    }
    assert_eq!(positions(&take(&mut rx, 1).await), appended);
    handle.ack(appended[0]).await?;
    Ok(())
}
