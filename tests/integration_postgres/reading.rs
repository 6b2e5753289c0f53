use futures_util::{FutureExt, StreamExt, TryStreamExt};
use rillflow::{EventEnvelope, Expected, Store};
use uuid::Uuid;

use crate::orders::{CustomerId, Order, OrderEvent, placed};
use crate::support::{TestResult, append_raw, store, store_with, tick};

fn versions(events: &[EventEnvelope]) -> Vec<i64> {
    events.iter().map(|it| it.stream_seq).collect()
}

fn positions(events: &[EventEnvelope]) -> Vec<i64> {
    events.iter().map(|it| it.global_seq).collect()
}

/// A stream of `n` ticks.
async fn ticks(store: &Store, n: i64) -> rillflow::Result<Uuid> {
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::NoStream, (1..=n).map(tick)).await?;
    Ok(id)
}

#[tokio::test]
async fn a_stream_is_read_from_any_version_in_both_directions() -> TestResult {
    let (_db, store) = store().await?;
    let id = ticks(&store, 5).await?;
    let read = || store.events().stream(id);

    assert_eq!(versions(&read().fetch_all().await?), [1, 2, 3, 4, 5]);
    assert_eq!(versions(&read().from_version(4).fetch_all().await?), [4, 5]);
    assert_eq!(versions(&read().from_version(2).limit(2).fetch_all().await?), [2, 3]);
    assert_eq!(versions(&read().backwards().fetch_all().await?), [5, 4, 3, 2, 1]);
    assert_eq!(versions(&read().backwards().limit(2).fetch_all().await?), [5, 4]);
    assert_eq!(versions(&read().backwards().from_version(3).fetch_all().await?), [3, 2, 1]);
    assert_eq!(versions(&read().limit(0).fetch_all().await?), [0; 0]);
    assert!(read().from_version(i64::MAX).fetch_all().await?.is_empty());
    assert!(read().from_version(i64::MIN).backwards().fetch_all().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_long_stream_comes_page_by_page_without_gap_or_double() -> TestResult {
    let (_db, store) = store().await?;
    for length in [1000, 1001] {
        let id = ticks(&store, length).await?;
        let there = store.events().stream(id).fetch().try_collect::<Vec<_>>().await?;
        let back = store.events().stream(id).backwards().fetch().try_collect::<Vec<_>>().await?;
        assert_eq!(versions(&there), (1..=length).collect::<Vec<_>>());
        assert_eq!(versions(&back), (1..=length).rev().collect::<Vec<_>>());
        let bounded = store.events().stream(id).limit(700).fetch().try_collect::<Vec<_>>().await?;
        assert_eq!(versions(&bounded), (1..=700).collect::<Vec<_>>());
    }
    Ok(())
}

#[tokio::test]
async fn a_stream_that_waits_holds_no_connection_and_can_go_anywhere() -> TestResult {
    let (_db, store) = store_with(|builder| builder.max_connections(1)).await?;
    let id = ticks(&store, 600).await?;
    let mut reading = {
        let store = store.clone();
        store.events().stream(id).fetch()
    };
    assert_eq!(reading.next().await.transpose()?.map(|it| it.stream_seq), Some(1));

    // the one connection is free for others while 499 events are still in memory
    store.events().append_stream(id, Expected::Any, [tick(601)]).await?;

    let rest = tokio::spawn(reading.try_collect::<Vec<_>>()).await??;
    assert_eq!(versions(&rest), (2..=601).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn a_next_that_is_given_up_loses_nothing() -> TestResult {
    let (_db, store) = store().await?;
    let id = ticks(&store, 1200).await?;
    let mut reading = store.events().stream(id).fetch();
    let mut read = Vec::new();
    let mut given_up = 0;
    loop {
        // asked once and dropped: at each page boundary the answer is not there yet
        match reading.next().now_or_never() {
            Some(Some(event)) => read.push(event?),
            Some(None) => break,
            None => {
                given_up += 1;
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        }
    }
    assert!(given_up > 0);
    assert_eq!(versions(&read), (1..=1200).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn typed_events_come_out_of_a_stream() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let order = store.aggregate::<Order>(id);
    order.append(Expected::NoStream, vec![placed(CustomerId::default(), 7), placed(CustomerId::default(), 8)]).await?;

    let events = store.events().stream(id).fetch().decode::<OrderEvent>().try_collect::<Vec<_>>().await?;

    assert!(matches!(&events[..], [OrderEvent::Placed(a), OrderEvent::Placed(b)] if (a.total, b.total) == (7, 8)));
    store.events().append_stream(id, Expected::Any, [tick(1)]).await?;
    let foreign = store.events().stream(id).fetch().decode::<OrderEvent>().try_collect::<Vec<_>>().await;
    assert!(matches!(foreign, Err(rillflow::Error::UnknownEvent { name, .. }) if name == "tick"));
    Ok(())
}

#[tokio::test]
async fn filters_on_types_categories_and_streams_must_all_let_an_event_pass() -> TestResult {
    let (_db, store) = store().await?;
    let (plain, order) = (ticks(&store, 2).await?, Uuid::now_v7());
    store.aggregate::<Order>(order).append(Expected::Any, vec![placed(CustomerId::default(), 1)]).await?;
    store.events().append_stream(order, Expected::Any, [tick(9)]).await?;
    let all = || store.events().all();

    assert_eq!(positions(&all().fetch_all().await?), [1, 2, 3, 4]);
    assert_eq!(positions(&all().types(["tick"]).fetch_all().await?), [1, 2, 4]);
    assert_eq!(positions(&all().events_of::<OrderEvent>().fetch_all().await?), [3]);
    assert_eq!(positions(&all().events_of::<OrderEvent>().types(["tick"]).fetch_all().await?), [1, 2, 3, 4]);
    assert_eq!(positions(&all().categories(["order"]).fetch_all().await?), [3, 4]);
    assert_eq!(positions(&all().categories(["order"]).types(["tick"]).fetch_all().await?), [4]);
    assert_eq!(positions(&all().streams([plain, plain]).fetch_all().await?), [1, 2], "a stream named twice is one");
    assert_eq!(positions(&all().streams([order]).types(["tick"]).categories(["order"]).fetch_all().await?), [4]);
    assert_eq!(positions(&all().streams([plain]).streams([order]).after(1).fetch_all().await?), [2, 3, 4]);
    assert_eq!(positions(&all().streams([plain]).categories(["order"]).fetch_all().await?), [0; 0]);
    assert_eq!(positions(&all().types::<&str>([]).fetch_all().await?), [0; 0], "no type is no event");
    assert_eq!(positions(&all().limit(3).fetch_all().await?), [1, 2, 3]);
    Ok(())
}

#[tokio::test]
async fn long_streams_among_others_come_page_by_page_in_the_global_order() -> TestResult {
    let (_db, store) = store().await?;
    let ids: Vec<_> = (0..3).map(|_| Uuid::now_v7()).collect();
    for round in 0..30 {
        for id in &ids {
            store.events().append_stream(*id, Expected::Any, (0..20).map(|n| tick(20 * round + n))).await?;
        }
    }
    let wanted = [ids[0], ids[2]];
    let expected: Vec<_> = (0..1800).filter(|n| n / 20 % 3 != 1).map(|n| n + 1).collect();
    assert_eq!(positions(&store.events().all().streams(wanted).fetch_all().await?), expected);
    let (mut after, mut read) = (0, Vec::new());
    loop {
        let page = store.events().all().streams(wanted).after(after).limit(7).page().await?;
        read.extend(positions(&page.events));
        after = page.position;
        if page.reached_end {
            break;
        }
    }
    assert_eq!(read, expected);
    Ok(())
}

#[tokio::test]
async fn a_page_says_where_the_next_begins_also_behind_what_the_filter_left_out() -> TestResult {
    let (_db, store) = store().await?;
    ticks(&store, 5).await?;
    append_raw(&store, "rare", 1, "1").await?;
    append_raw(&store, "common", 1, "1").await?;

    let page = store.events().all().limit(2).page().await?;
    assert_eq!((positions(&page.events), page.position, page.reached_end), (vec![1, 2], 2, false));
    let page = store.events().all().types(["rare"]).after(page.position).page().await?;
    assert_eq!((positions(&page.events), page.position, page.reached_end), (vec![6], 7, true));
    let page = store.events().all().after(page.position).page().await?;
    assert_eq!((page.events.len(), page.position, page.reached_end), (0, 7, true));
    Ok(())
}

#[tokio::test]
async fn reading_all_stops_below_an_append_that_is_open() -> TestResult {
    let (_db, store) = store().await?;
    ticks(&store, 2).await?;
    let mut open = store.pool().begin().await?;
    store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
    ticks(&store, 1).await?;

    let page = store.events().all().page().await?;
    assert_eq!((positions(&page.events), page.position, page.reached_end), (vec![1, 2], 2, true));
    assert_eq!(positions(&store.events().all().fetch_all().await?), [1, 2]);
    assert_eq!(positions(&store.events().all().types(["tick"]).fetch_all().await?), [1, 2]);

    open.commit().await?;
    assert_eq!(positions(&store.events().all().after(2).fetch_all().await?), [3, 4]);
    Ok(())
}
