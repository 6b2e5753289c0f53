use chrono::Utc;
use futures_util::StreamExt;
use rillflow::subscriptions::{SubscriptionFilter, SubscriptionOptions, Subscriptions};
use rillflow::{AppendOptions, Error, Event, Expected, Tag};
use serde_json::json;
use uuid::Uuid;

use super::{SOON, nothing_more, positions, subscribe, take, ticks, until};
use crate::orders::{CustomerId, Order, OrderEvent, Placed, placed};
use crate::support::{TestResult, store, tick};

#[tokio::test]
async fn what_was_there_and_what_comes_arrives_in_order() -> TestResult {
    let (_db, store) = store().await?;
    let stream = Uuid::now_v7();
    let mut appended = ticks(&store, stream, 0..3).await?;
    let (handle, mut rx) = subscribe(&store, "all", SubscriptionOptions::default()).await?;
    let mut seen = positions(&take(&mut rx, 3).await);
    appended.extend(ticks(&store, stream, 3..6).await?);
    seen.extend(positions(&take(&mut rx, 3).await));
    assert_eq!(seen, appended);
    handle.shutdown().await?;
    assert!(rx.recv().await.is_none(), "it has ended");
    Ok(())
}

#[tokio::test]
async fn the_readme_of_another_system_compiles_and_works_here() -> TestResult {
    let (_db, store) = store().await?;
    store
        .events()
        .append_stream(Uuid::now_v7(), Expected::Any, [Event::new("Ping", &1), Event::new("Pong", &2)])
        .await?;
    let subs = Subscriptions::new_with_schema(store.pool().clone(), "public");
    let filter = SubscriptionFilter { event_types: Some(vec!["Ping".into()]), ..Default::default() };
    let opts = SubscriptionOptions { start_from: 0, ..Default::default() };
    let (_handle, mut rx) = subs.subscribe("s1", filter, opts).await?;
    let env = tokio::time::timeout(SOON, rx.recv()).await?.expect("a ping");
    assert_eq!(format!("{} {}", env.stream_seq, env.typ), "1 Ping");
    nothing_more(&mut rx).await;

    let nowhere = Subscriptions::new_with_schema(store.pool().clone(), "no such; schema").list().await;
    assert!(matches!(nowhere, Err(Error::Schema { .. })), "{nowhere:?}");
    Ok(())
}

#[tokio::test]
async fn every_filter_is_applied_by_the_database() -> TestResult {
    let (_db, store) = store().await?;
    let order = Uuid::now_v7();
    store.aggregate::<Order>(order).append(Expected::NoStream, vec![placed(CustomerId::default(), 1)]).await?;
    let aliased = store.resolve_stream_alias("orders:42").await?;
    store.events().append_stream(aliased, Expected::Any, [tick(1)]).await?;
    let with_headers = Uuid::now_v7();
    let headers = AppendOptions::default().headers(json!({ "tenant": "a", "user": 7 }));
    store.events().append_with(with_headers, Expected::Any, [tick(2)], &headers).await?;

    let tagged = Uuid::now_v7();
    let about = tick(3).with_tag("course", &42).with_tag("student", &7);
    store.events().append_stream(tagged, Expected::Any, [about]).await?;
    let filters = [
        (SubscriptionFilter::default().tags([Tag::new("course", &42)]), tagged),
        (SubscriptionFilter::default().types(["order-placed"]), order),
        (SubscriptionFilter::of::<OrderEvent>(), order),
        (SubscriptionFilter::default().categories(["order"]), order),
        (SubscriptionFilter::default().streams([with_headers]), with_headers),
        (SubscriptionFilter::default().stream_prefix("orders:"), aliased),
        (SubscriptionFilter::default().headers(json!({ "tenant": "a" })), with_headers),
        (SubscriptionFilter::default().types(["tick"]).stream_prefix("orders:"), aliased),
    ];
    for (number, (filter, stream)) in filters.into_iter().enumerate() {
        let name = format!("filter-{number}");
        let (_handle, mut rx) = store.subscriptions().subscribe(&name, filter.clone(), Default::default()).await?;
        assert_eq!(take(&mut rx, 1).await[0].stream_id.0, stream, "{filter:?}");
        nothing_more(&mut rx).await;
        let stored = store.subscriptions().get(&name).await?.expect("it is stored");
        assert_eq!(stored.filter, filter);
    }
    Ok(())
}

#[tokio::test]
async fn it_begins_where_it_is_told_to_and_goes_on_where_it_was() -> TestResult {
    let (_db, store) = store().await?;
    let stream = Uuid::now_v7();
    let before = ticks(&store, stream, 0..2).await?;
    let (_h, mut later) = subscribe(&store, "after", SubscriptionOptions::after(before[0])).await?;
    let (_h, mut now) = subscribe(&store, "now", SubscriptionOptions::from_now()).await?;
    let time = Utc::now();
    let (_h, mut since) = subscribe(&store, "since", SubscriptionOptions::from_time(time)).await?;
    let after = ticks(&store, stream, 2..4).await?;
    assert_eq!(positions(&take(&mut later, 3).await), [before[1], after[0], after[1]]);
    assert_eq!(positions(&take(&mut now, 2).await), after);
    assert_eq!(positions(&take(&mut since, 2).await), after);
    let (_h, mut since) = subscribe(&store, "since then", SubscriptionOptions::from_time(time)).await?;
    assert_eq!(positions(&take(&mut since, 2).await), after, "the time is before what is there");
    Ok(())
}

#[tokio::test]
async fn typed_events_arrive_decoded_and_what_cannot_be_read_becomes_a_dead_letter() -> TestResult {
    let (_db, store) = store().await?;
    let subscriptions = store.subscriptions();
    let (_handle, mut rx) = subscriptions.subscribe_to::<OrderEvent>("typed", Default::default()).await?;
    let stream = Uuid::now_v7();
    let odd = Event::new("order-placed", &"not what it was");
    let events = [Event::from(placed(CustomerId::default(), 7)), tick(1), odd, placed(CustomerId::default(), 8).into()];
    store.events().append_stream(stream, Expected::Any, events).await?;
    let (first, at) = tokio::time::timeout(SOON, rx.recv()).await?.expect("an event")?;
    assert!(matches!(first, OrderEvent::Placed(Placed { total: 7, .. })) && at.stream_seq == 1);
    let odd = tokio::time::timeout(SOON, rx.next()).await?.expect("an event");
    assert!(odd.is_err(), "{odd:?}");
    let (last, at) = tokio::time::timeout(SOON, rx.next()).await?.expect("an event")?;
    assert!(matches!(last, OrderEvent::Placed(Placed { total: 8, .. })) && at.stream_seq == 4);
    until("a dead letter", || async { Ok(subscriptions.dead_letters("typed", None, 10).await?.len() == 1) }).await?;
    Ok(())
}

#[tokio::test]
async fn an_event_that_is_appended_late_is_not_passed_by_those_that_overtake_it() -> TestResult {
    let (_db, store) = store().await?;
    let (_handle, mut rx) = subscribe(&store, "all", SubscriptionOptions::default()).await?;
    let (slow, quick) = (Uuid::now_v7(), Uuid::now_v7());
    let mut tx = store.pool().begin().await?;
    let late = store.events().append_in_tx(&mut tx, slow, Expected::Any, [tick(1)]).await?.position();
    let early = ticks(&store, quick, 0..1).await?;
    nothing_more(&mut rx).await;
    tx.commit().await?;
    assert_eq!(positions(&take(&mut rx, 2).await), [late, early[0]]);
    Ok(())
}

#[tokio::test]
async fn tail_follows_the_log_and_keeps_no_place() -> TestResult {
    let (_db, store) = store().await?;
    let before = ticks(&store, Uuid::now_v7(), 0..2).await?;
    let mut tail = store.subscriptions().tail(SubscriptionFilter::default(), before[0])?;
    assert_eq!(tokio::time::timeout(SOON, tail.next()).await?.expect("it never ends")?.global_seq, before[1]);
    let after = ticks(&store, Uuid::now_v7(), 0..1).await?;
    assert_eq!(tokio::time::timeout(SOON, tail.next()).await?.expect("it never ends")?.global_seq, after[0]);
    assert!(store.subscriptions().list().await?.is_empty());
    Ok(())
}
