use rillflow::{DecideError, Error, Event, Expected, StreamId};
use serde_json::json;
use uuid::Uuid;

use crate::orders::{CustomerId, NotOpen, Order, OrderId, OrderState, placed};
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
