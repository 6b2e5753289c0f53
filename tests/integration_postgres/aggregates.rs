use rillflow::{DecideError, Error, Event, Expected, StreamId};
use serde_json::json;
use uuid::Uuid;

use crate::orders::{CustomerId, NotOpen, Order, OrderId, OrderState, placed};
use crate::snapshots::{Added, CounterEvent, Sum, TooMuch};
use crate::support::{TestResult, store};

#[tokio::test]
async fn an_aggregate_is_the_fold_of_its_stream() -> TestResult {
    let (_db, store) = store().await?;
    let id = OrderId(Uuid::now_v7());
    let order = store.aggregate::<Order>(id);
    assert_eq!(order.load().await?.version, 0);

    order.append(Expected::NoStream, vec![placed(CustomerId::default(), 40)]).await?;
    let shipped = order.decide(|order| order.ship("1Z")).await?;

    assert_eq!((shipped.state.state, shipped.version), (OrderState::Shipped, 2));
    let loaded = order.load().await?;
    assert_eq!((loaded.state, loaded.version), (Order { state: OrderState::Shipped, total: 40 }, 2));
    let category: String = sqlx::query_scalar("SELECT category FROM streams").fetch_one(store.pool()).await?;
    assert_eq!(category, "order");
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_the_applications_own_error_and_appends_nothing() -> TestResult {
    let (_db, store) = store().await?;
    let order = store.aggregate::<Order>(Uuid::now_v7());

    let refused = order.decide(|order| order.ship("1Z")).await;

    assert!(matches!(refused, Err(DecideError::Rejected(NotOpen(OrderState::New)))));
    assert_eq!(order.load().await?.version, 0);
    Ok(())
}

#[tokio::test]
async fn a_decision_that_loses_the_race_is_made_again_on_the_new_state() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let order = store.aggregate::<Order>(id);
    order.append(Expected::NoStream, vec![placed(CustomerId::default(), 1)]).await?;

    // the other one is first, between our load and our append
    let mut seen = Vec::new();
    let mut other_was_here = false;
    let decided = loop {
        let loaded = order.load().await?;
        seen.push(loaded.version);
        if !other_was_here {
            other_was_here = true;
            order.append(Expected::Exact(1), vec![placed(CustomerId::default(), 2)]).await?;
        }
        match order.append(Expected::Exact(loaded.version), loaded.state.ship("1Z")?).await {
            Err(Error::VersionConflict { .. }) => continue,
            other => break other?,
        }
    };
    assert_eq!((seen, decided.version), (vec![1, 2], 3));

    // and `decide` does the same by itself: 8 at once, each sees the state that it changes
    let counters: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let order = store.aggregate::<Order>(id);
                order.decide(|order| Ok::<_, NotOpen>(vec![placed(CustomerId::default(), order.total + 1)])).await
            })
        })
        .collect();
    for counter in counters {
        counter.await??;
    }
    assert_eq!(order.load().await?.state.total, 2 + 8);
    Ok(())
}

#[tokio::test]
async fn deciding_on_nothing_appends_nothing() -> TestResult {
    let (_db, store) = store().await?;
    let order = store.aggregate::<Order>(Uuid::now_v7());
    let decided = order.decide(|_| Ok::<_, NotOpen>(vec![])).await?;
    assert_eq!((decided.version, decided.position(), decided.appended), (0, 0, None));
    Ok(())
}

#[tokio::test]
async fn an_old_event_is_read_through_its_upcaster() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::Any, [Event::new("order-placed", &json!({ "customer": id }))]).await?;

    assert_eq!(store.aggregate::<Order>(id).load().await?.state, Order { state: OrderState::Open, total: 0 });
    Ok(())
}

#[tokio::test]
async fn an_event_nobody_can_read_is_an_error_that_names_it() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::Any, [Event::new("order-teleported", &())]).await?;

    let error = store.aggregate::<Order>(id).load().await.unwrap_err();
    assert!(
        matches!(&error, Error::UnknownEvent { stream_id, name, version: 1 } if *stream_id == StreamId(id) && name == "order-teleported"),
        "{error:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_payload_that_does_not_fit_is_an_error() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::Any, [Event::new("order-shipped", &json!({ "tracking": 7 }))]).await?;
    assert!(matches!(store.aggregate::<Order>(id).load().await, Err(Error::Decode { .. })));
    Ok(())
}

#[tokio::test]
async fn an_aggregate_is_loaded_as_it_was_at_a_version_and_at_a_time() -> TestResult {
    let (_db, store) = store().await?;
    let order = store.aggregate::<Order>(Uuid::now_v7());
    let mut times = Vec::new();
    for total in 1..=3 {
        times.push(order.append(Expected::Any, vec![placed(CustomerId::default(), total)]).await?.created_at);
    }
    for (version, total) in [(0, 0), (1, 1), (2, 2), (3, 3), (9, 3)] {
        let loaded = order.load_at(version).await?;
        assert_eq!((loaded.version, loaded.total), (version.min(3), total));
    }
    let moment = chrono::TimeDelta::microseconds(1);
    for (version, &time) in (1..).zip(&times) {
        assert_eq!(order.load_as_of(time).await?.version, version);
        assert_eq!(order.load_as_of(time - moment).await?.version, version - 1);
    }
    assert_eq!(order.load_as_of(chrono::Utc::now() + chrono::TimeDelta::days(1)).await?.total, 3);
    Ok(())
}

#[tokio::test]
async fn as_of_a_time_is_a_beginning_of_the_stream_even_when_times_run_backwards() -> TestResult {
    let (_db, store) = store().await?;
    let order = store.aggregate::<Order>(Uuid::now_v7());
    // begun first, appended last
    let mut early = store.pool().begin().await?;
    let before: chrono::DateTime<chrono::Utc> = sqlx::query_scalar("SELECT now()").fetch_one(&mut *early).await?;
    order.append(Expected::Any, vec![placed(CustomerId::default(), 1)]).await?;
    store
        .events()
        .append_in_tx(&mut early, order.stream_id(), Expected::Any, [placed(CustomerId::default(), 2)])
        .await?;
    early.commit().await?;

    assert_eq!(order.load_as_of(before).await?.version, 0, "the second event without the first was never the state");
    assert_eq!(order.load().await?.version, 2);
    Ok(())
}

#[tokio::test]
async fn a_validator_sees_the_state_after_the_events_on_every_write_path() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let sum = store.aggregate::<Sum>(id);
    let add = |by| CounterEvent::Added(Added { by });
    sum.append(Expected::NoStream, vec![add(60), add(39)]).await?;

    for expected in [Expected::Any, Expected::Exact(2), Expected::StreamExists] {
        let refused = sum.append(expected, vec![add(1)]).await.unwrap_err();
        let Error::Invalid { aggregate: "Sum", stream_id, source } = &refused else { return Err(refused.into()) };
        assert_eq!((*stream_id, source.downcast_ref()), (StreamId(id), Some(&TooMuch(100))));
    }
    let decided = sum.decide(|it| Ok::<_, NotOpen>(vec![add(100 - it.sum)])).await;
    assert!(matches!(decided, Err(DecideError::Store(Error::Invalid { .. }))));
    let conflict = sum.append(Expected::Exact(1), vec![add(-1)]).await;
    assert!(matches!(conflict, Err(Error::VersionConflict { actual: 2, .. })));
    assert_eq!(store.events().read_stream(id).await?.len(), 2, "nothing was written");

    sum.append(Expected::Any, vec![add(10), add(-10)]).await?;
    Ok(())
}

#[tokio::test]
async fn writers_at_once_never_get_past_a_validator_together_nor_conflict_when_they_expect_nothing() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let writers = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut refused = 0;
            for _ in 0..3 {
                match store.aggregate::<Sum>(id).append(Expected::Any, vec![CounterEvent::Added(Added { by: 9 })]).await
                {
                    Ok(_) => {}
                    Err(Error::Invalid { .. }) => refused += 1,
                    Err(other) => return Err(other),
                }
            }
            Ok(refused)
        })
    });
    let mut refused = 0;
    for writer in writers.collect::<Vec<_>>() {
        refused += writer.await??;
    }
    assert_eq!((refused, store.aggregate::<Sum>(id).load().await?.sum), (24 - 11, 99));
    Ok(())
}
