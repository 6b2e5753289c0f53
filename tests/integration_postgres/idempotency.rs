use rillflow::{AppendOptions, Error, Event, Expected, Store};
use serde_json::json;
use uuid::Uuid;

use crate::orders::{CustomerId, SalesProjection, placed};
use crate::support::{TestResult, store, store_with, tick};

async fn count(store: &Store) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(store.pool()).await
}

#[tokio::test]
async fn a_repeated_key_gets_the_first_result_whatever_the_stream_is_like_by_then() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let send = |expected| {
        let events = [tick(1), tick(2)];
        store.events().builder(id).idempotency_key("req-1").expected(expected).extend(events).send()
    };
    let first = send(Expected::NoStream).await?;
    store.events().append_stream(id, Expected::Any, [tick(3)]).await?;
    let again = send(Expected::NoStream).await?;

    assert!(!first.repeated && again.repeated);
    assert_eq!((again.version, &again.positions, again.created_at), (2, &first.positions, first.created_at));
    assert_eq!(count(&store).await?, 3);
    Ok(())
}

#[tokio::test]
async fn a_key_counts_in_its_stream_or_in_the_scope_that_the_caller_names() -> TestResult {
    let (_db, store) = store().await?;
    let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
    let send = |id, scope: Option<&str>| {
        let builder = store.events().builder(id).push(tick(1)).idempotency_key("k");
        if let Some(scope) = scope { builder.idempotency_scope(scope) } else { builder }.send()
    };
    assert!(!send(a, None).await?.repeated);
    assert!(!send(b, None).await?.repeated, "another stream");
    assert!(!send(a, Some("checkout")).await?.repeated, "another scope");
    assert!(send(a, Some("checkout")).await?.repeated);
    let elsewhere = send(b, Some("checkout")).await;
    assert!(matches!(elsewhere, Err(Error::IdempotencyConflict { .. })), "{elsewhere:?}");
    Ok(())
}

#[tokio::test]
async fn the_same_key_with_other_events_is_a_conflict() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let options = || AppendOptions::default().idempotency_key("k");
    store.events().append_with(id, Expected::Any, [tick(1)], &options()).await?;
    for other in [vec![tick(2)], vec![tick(1), tick(1)], vec![Event::new("tock", &1)]] {
        let conflict = store.events().append_with(id, Expected::Any, other, &options()).await;
        assert!(matches!(&conflict, Err(Error::IdempotencyConflict { key, .. }) if key == "key `k`"), "{conflict:?}");
    }
    assert_eq!(count(&store).await?, 1);
    Ok(())
}

#[tokio::test]
async fn of_many_who_use_a_key_at_once_one_appends_and_all_get_its_result() -> TestResult {
    for expected in [Expected::Any, Expected::NoStream] {
        for batch in [true, false] {
            let (_db, store) = store_with(|it| it.batch_appends(batch)).await?;
            let id = Uuid::now_v7();
            let callers: Vec<_> = (0..12)
                .map(|_| {
                    let store = store.clone();
                    let append = async move {
                        store.events().builder(id).expected(expected).push(tick(1)).idempotency_key("k").send().await
                    };
                    tokio::spawn(append)
                })
                .collect();
            let mut firsts = 0;
            for caller in callers {
                let appended = caller.await??;
                assert_eq!(appended.version, 1);
                firsts += usize::from(!appended.repeated);
            }
            assert_eq!((firsts, count(&store).await?), (1, 1));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_key_whose_first_use_is_rolled_back_is_free() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let mut tx = store.pool().begin().await?;
    sqlx::query("INSERT INTO idempotency_keys (scope, key, fingerprint, stream_id, version, positions) VALUES ($1, 'k', gen_random_uuid(), $2, 1, '{1}')")
        .bind(format!("stream {id}"))
        .bind(id)
        .execute(&mut *tx)
        .await?;
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.events().builder(id).push(tick(1)).idempotency_key("k").send().await }
    });
    crate::support::until_somebody_waits(store.pool()).await?;
    tx.rollback().await?;
    assert!(!waiting.await??.repeated);
    Ok(())
}

#[tokio::test]
async fn events_with_ids_of_their_own_are_appended_once() -> TestResult {
    let (_db, store) = store().await?;
    let (id, a, b) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let events = || [tick(1).with_id(a), tick(2).with_id(b)];

    let first = store.events().append_stream(id, Expected::NoStream, events()).await?;
    let again = store.events().append_stream(id, Expected::Any, events()).await?;
    assert!(again.repeated);
    assert_eq!(again.positions, first.positions);

    for other in [vec![tick(9).with_id(a)], vec![tick(1).with_id(a), tick(3)]] {
        let conflict = store.events().append_stream(id, Expected::Any, other).await;
        assert!(matches!(conflict, Err(Error::IdempotencyConflict { .. })), "{conflict:?}");
    }
    let elsewhere = store.events().append_stream(Uuid::now_v7(), Expected::Any, events()).await;
    assert!(matches!(elsewhere, Err(Error::IdempotencyConflict { .. })), "{elsewhere:?}");
    assert_eq!(count(&store).await?, 2);
    Ok(())
}

#[tokio::test]
async fn repeats_with_inline_projections_change_no_document() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(rillflow::Lifecycle::Inline)).await?;
    let (id, kim, event_id) = (Uuid::now_v7(), CustomerId::default(), Uuid::now_v7());
    for n in 0..3 {
        let keyed = store.events().builder(id).push(placed(kim, 10)).idempotency_key("k").send().await?;
        let by_id = Event::from(placed(kim, 5)).with_id(event_id);
        let known = store.events().append_stream(id, Expected::Any, [by_id]).await?;
        assert_eq!((keyed.repeated, known.repeated), (n > 0, n > 0));
    }
    let (sales, _) = store.docs().get::<crate::orders::CustomerSales>(&kim).await?.ok_or("no document")?;
    assert_eq!((sales.orders, sales.total), (2, 15));
    Ok(())
}

#[tokio::test]
async fn old_keys_can_be_forgotten() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let send = || store.events().builder(id).push(tick(1)).idempotency_key("k").send();
    send().await?;
    assert_eq!(store.events().forget_idempotency_keys(std::time::Duration::from_secs(60)).await?, 0);
    assert_eq!(store.events().forget_idempotency_keys(std::time::Duration::ZERO).await?, 1);
    assert!(!send().await?.repeated);
    Ok(())
}

#[tokio::test]
async fn the_builder_keeps_everything_in_any_order_of_calls() -> TestResult {
    let (_db, store) = store().await?;
    let (id, cause, correlation) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let own = Uuid::now_v7();
    store
        .events()
        .builder(id)
        .push(tick(1))
        .idempotency_key("k")
        .correlation_id(correlation)
        .expected(Expected::NoStream)
        .headers(json!({ "n": 1 }))
        .extend([tick(2).with_causation_id(own)])
        .causation_id(cause)
        .send()
        .await?;
    let read = store.events().read_stream(id).await?;
    assert_eq!(read.iter().map(|e| e.causation_id).collect::<Vec<_>>(), [Some(cause), Some(own)]);
    assert!(read.iter().all(|e| e.correlation_id == Some(correlation) && e.headers.is_some()));
    Ok(())
}

#[tokio::test]
async fn writers_with_advisory_locks_wait_for_each_other() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let writers: Vec<_> = (0..6)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                store.events().with_advisory_locks().append_stream(id, Expected::Any, [tick(n)]).await
            })
        })
        .collect();
    for writer in writers {
        writer.await??;
    }
    assert_eq!(store.events().read_stream(id).await?.len(), 6);
    Ok(())
}
