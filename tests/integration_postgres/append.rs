use rillflow::{Error, Event, Expected, StreamId};
use uuid::Uuid;

use crate::support::{TestResult, store, tick};

#[tokio::test]
async fn versions_count_the_events_and_positions_grow() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();

    let first = store.events().append_stream(id, Expected::NoStream, [tick(1), tick(2)]).await?;
    let second = store.events().append_stream(id, Expected::Exact(2), [tick(3)]).await?;

    assert_eq!((first.version, second.version), (2, 3));
    assert!(first.positions.is_sorted() && first.position() < second.position());
    let events = store.events().read_stream(id).await?;
    assert_eq!(events.iter().map(|e| e.stream_seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(events.iter().map(|e| e.body.parse::<i64>()).collect::<Result<Vec<_>, _>>()?, [1, 2, 3]);
    Ok(())
}

#[tokio::test]
async fn everything_an_event_carries_comes_back_as_it_was_written() -> TestResult {
    let (_db, store) = store().await?;
    let (id, event_id, cause, correlation) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let event = Event::new("paid", &serde_json::json!({ "z": 1.10, "a": "ü\"\\" }))
        .with_id(event_id)
        .with_headers(&serde_json::json!({ "request": "r-1" }))
        .with_causation_id(cause)
        .with_correlation_id(correlation);

    store.events().append_stream(id, Expected::Any, [event]).await?;

    let read = store.events().read_stream(id).await?.remove(0);
    assert_eq!((read.stream_id, read.event_id, &*read.typ, read.type_version), (StreamId(id), event_id, "paid", 1));
    assert_eq!((read.causation_id, read.correlation_id), (Some(cause), Some(correlation)));
    assert_eq!(read.body.as_str(), r#"{"a":"ü\"\\","z":1.1}"#);
    assert_eq!(read.headers.map(|h| h.to_string()).as_deref(), Some(r#"{"request": "r-1"}"#));
    Ok(())
}

#[tokio::test]
async fn a_stale_writer_gets_a_conflict_and_appends_nothing() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::NoStream, [tick(1)]).await?;
    store.events().append_stream(id, Expected::Exact(1), [tick(2)]).await?;

    let stale = store.events().append_stream(id, Expected::Exact(1), [tick(3)]).await.unwrap_err();

    assert!(
        matches!(stale, Error::VersionConflict { stream_id, expected: Expected::Exact(1), actual: 2 } if stream_id == StreamId(id)),
        "{stale:?}"
    );
    assert!(stale.is_retryable());
    assert_eq!(store.events().read_stream(id).await?.len(), 2);
    let drawn: i64 = sqlx::query_scalar("SELECT last_value FROM events_global_seq").fetch_one(store.pool()).await?;
    assert_eq!(drawn, 2, "a loser draws no position");
    Ok(())
}

#[tokio::test]
async fn what_a_writer_expects_is_checked() -> TestResult {
    let (_db, store) = store().await?;
    let (there, not_there) = (Uuid::now_v7(), Uuid::now_v7());
    store.events().append_stream(there, Expected::Any, [tick(1)]).await?;
    let cases = [
        (there, Expected::NoStream, Some(1)),
        (not_there, Expected::StreamExists, Some(0)),
        (not_there, Expected::Exact(3), Some(0)),
        (there, Expected::Exact(0), Some(1)),
        (there, Expected::StreamExists, None),
        (there, Expected::Exact(2), None),
        (not_there, Expected::Exact(0), None),
    ];
    for (id, expected, conflict) in cases {
        for events in [vec![], vec![tick(2)]] {
            let nothing = events.is_empty();
            match store.events().append_stream(id, expected, events).await {
                Ok(_) => assert_eq!(conflict, None, "{expected}, nothing to append: {nothing}"),
                Err(Error::VersionConflict { actual, .. }) => assert_eq!(conflict, Some(actual), "{expected}"),
                Err(other) => return Err(other.into()),
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn any_never_fails_however_many_write_at_once() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let writers = (0..16).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..10 {
                store.events().append_stream(id, Expected::Any, [tick(writer), tick(n)]).await?;
            }
            Ok::<_, Error>(())
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await??;
    }
    let events = store.events().read_stream(id).await?;
    assert_eq!(events.iter().map(|e| e.stream_seq).collect::<Vec<_>>(), (1..=320).collect::<Vec<_>>());
    assert!(events.is_sorted_by_key(|e| e.global_seq), "within a stream, positions grow with versions");
    Ok(())
}

#[tokio::test]
async fn of_many_writers_who_expect_one_version_one_wins() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let writers = (0..8).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.events().append_stream(id, Expected::NoStream, [tick(n)]).await })
    });
    let mut won = 0;
    for writer in writers.collect::<Vec<_>>() {
        match writer.await? {
            Ok(_) => won += 1,
            Err(Error::VersionConflict { actual: 1, .. }) => {}
            Err(other) => return Err(other.into()),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(store.events().read_stream(id).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_payload_that_does_not_serialise_is_an_error_and_nothing_is_written() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let keys_are_not_text = std::collections::HashMap::from([(vec![1], 1)]);

    let refused =
        store.events().append_stream(id, Expected::Any, [tick(1), Event::new("bad", &keys_are_not_text)]).await;

    assert!(matches!(refused, Err(Error::Encode { what, .. }) if what == "bad"));
    assert!(store.events().read_stream(id).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_append_in_a_transaction_is_there_when_it_commits() -> TestResult {
    let (_db, store) = store().await?;
    let (kept, given_up) = (Uuid::now_v7(), Uuid::now_v7());

    let mut tx = store.pool().begin().await?;
    store.events().append_in_tx(&mut tx, kept, Expected::NoStream, [tick(1)]).await?;
    tx.commit().await?;
    let mut tx = store.pool().begin().await?;
    store.events().append_in_tx(&mut tx, given_up, Expected::NoStream, [tick(1)]).await?;
    tx.rollback().await?;

    assert_eq!(store.events().read_stream(kept).await?.len(), 1);
    assert!(store.events().read_stream(given_up).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn stored_events_refuse_to_be_changed() -> TestResult {
    let (_db, store) = store().await?;
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
    for change in ["UPDATE events SET type = 'other'", "DELETE FROM events", "TRUNCATE events"] {
        let refused = sqlx::raw_sql(change).execute(store.pool()).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
    Ok(())
}
