use rillflow::{DecideError, Error, Expected, Lifecycle, StreamId};
use uuid::Uuid;

use crate::orders::{CustomerId, CustomerSales, NotOpen, Order, SalesProjection, placed};
use crate::support::{SOON, TestResult, store, store_with, tick, until_somebody_waits};

#[tokio::test]
async fn the_state_of_a_stream_is_known_without_its_events() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let events = store.events();
    assert_eq!(events.stream_state(id).await?, None);
    assert!(!events.stream_exists(id).await? && !store.aggregate::<Order>(id).exists().await?);

    let customer = CustomerId::default();
    let appended = store.aggregate::<Order>(id).append(Expected::Any, vec![placed(customer, 1)]).await?;

    let state = events.stream_state(id).await?.ok_or("a state")?;
    assert_eq!((state.stream_id, state.version, &*state.category), (StreamId(id), 1, "order"));
    assert_eq!((state.created_at, state.archived_at, state.deleted_at), (appended.created_at, None, None));
    assert!(events.stream_exists(id).await? && store.aggregate::<Order>(id).exists().await?);
    Ok(())
}

#[tokio::test]
async fn an_archived_stream_refuses_appends_until_it_is_restored() -> TestResult {
    let (_db, store) = store().await?;
    let (id, events) = (Uuid::now_v7(), store.events());
    events.append_stream(id, Expected::Any, [tick(1)]).await?;

    events.archive_stream(id).await?;
    events.archive_stream(id).await?;

    for expected in [Expected::Any, Expected::StreamExists, Expected::Exact(1), Expected::Exact(7), Expected::NoStream]
    {
        let refused = events.append_stream(id, expected, [tick(2)]).await.unwrap_err();
        assert!(
            matches!(refused, Error::StreamArchived { stream_id } if stream_id == StreamId(id)),
            "{expected}: {refused:?}"
        );
    }
    assert_eq!(events.read_stream(id).await?.len(), 1, "it stays readable");
    assert!(events.stream_state(id).await?.is_some_and(|it| it.archived_at.is_some()));
    let drawn: i64 = sqlx::query_scalar("SELECT last_value FROM events_global_seq").fetch_one(store.pool()).await?;
    assert_eq!(drawn, 1, "a refused append draws no position");

    events.restore_stream(id).await?;
    events.restore_stream(id).await?;
    assert_eq!(events.append_stream(id, Expected::Exact(1), [tick(2)]).await?.version, 2);
    Ok(())
}

#[tokio::test]
async fn archiving_waits_for_the_append_that_is_open() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::Any, [tick(1)]).await?;
    let mut open = store.pool().begin().await?;
    store.events().append_in_tx(&mut open, id, Expected::Any, [tick(2)]).await?;

    let archiving = tokio::spawn({
        let store = store.clone();
        async move { store.events().archive_stream(id).await }
    });
    until_somebody_waits(store.pool()).await?;
    open.commit().await?;
    archiving.await??;

    let state = store.events().stream_state(id).await?.ok_or("a state")?;
    assert!(state.version == 2 && state.archived_at.is_some());
    Ok(())
}

#[tokio::test]
async fn a_deleted_stream_leaves_a_tombstone_that_keeps_its_id() -> TestResult {
    let (_db, store) = store().await?;
    let (id, other, events) = (Uuid::now_v7(), Uuid::now_v7(), store.events());
    events.append_stream(id, Expected::Any, [tick(1), tick(2)]).await?;
    events.append_stream(other, Expected::Any, [tick(3)]).await?;

    events.delete_stream(id).await?;
    events.delete_stream(id).await?;

    assert!(events.read_stream(id).await?.is_empty() && !events.stream_exists(id).await?);
    assert_eq!(events.all().fetch_all().await?.len(), 1, "the other stream is whole");
    let state = events.stream_state(id).await?.ok_or("a tombstone")?;
    assert!(state.version == 2 && state.deleted_at.is_some());
    for expected in [Expected::Any, Expected::NoStream, Expected::Exact(0), Expected::Exact(2)] {
        let refused = events.append_stream(id, expected, [tick(4)]).await;
        assert!(matches!(refused, Err(Error::StreamDeleted { stream_id }) if stream_id == StreamId(id)), "{expected}");
    }
    assert!(matches!(events.restore_stream(id).await, Err(Error::StreamDeleted { .. })));
    assert!(matches!(events.archive_stream(id).await, Err(Error::StreamDeleted { .. })));
    let order = store.aggregate::<Order>(id);
    let decided = order.decide(|_| Ok::<_, NotOpen>(vec![placed(CustomerId::default(), 1)])).await;
    assert!(matches!(decided, Err(DecideError::Store(Error::StreamDeleted { .. }))));
    Ok(())
}

#[tokio::test]
async fn deleting_waits_for_the_append_that_is_open_and_takes_its_events_too() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::Any, [tick(1)]).await?;
    let mut open = store.pool().begin().await?;
    store.events().append_in_tx(&mut open, id, Expected::Any, [tick(2)]).await?;

    let deleting = tokio::spawn({
        let store = store.clone();
        async move { store.events().delete_stream(id).await }
    });
    until_somebody_waits(store.pool()).await?;
    open.commit().await?;
    deleting.await??;

    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(store.pool()).await?;
    assert_eq!((left, store.events().stream_state(id).await?.map(|it| it.version)), (0, Some(2)));
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_is_neither_archived_nor_deleted() -> TestResult {
    let (_db, store) = store().await?;
    let (id, events) = (Uuid::now_v7(), store.events());
    for refused in [events.archive_stream(id).await, events.restore_stream(id).await, events.delete_stream(id).await] {
        assert!(matches!(refused, Err(Error::StreamNotFound { stream_id }) if stream_id == StreamId(id)));
    }
    Ok(())
}

#[tokio::test]
async fn events_go_only_with_their_whole_stream_whatever_a_session_sets() -> TestResult {
    let (_db, store) = store().await?;
    let (deleted, kept) = (Uuid::now_v7(), Uuid::now_v7());
    for id in [deleted, kept] {
        store.events().append_stream(id, Expected::Any, [tick(1), tick(2)]).await?;
    }
    store.events().archive_stream(kept).await?;
    store.events().delete_stream(deleted).await?;
    for change in [
        "DELETE FROM events",
        "DELETE FROM events WHERE stream_seq = 2",
        "SET rillflow.announced = 'on'; DELETE FROM events",
        "SET rillflow.delete = 'on'; DELETE FROM events",
        "UPDATE events SET data = '2'",
        "TRUNCATE events",
    ] {
        let refused = sqlx::raw_sql(change).execute(store.pool()).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{change}: {refused}");
    }
    assert_eq!(store.events().read_stream(kept).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_projection_goes_on_when_the_event_at_its_checkpoint_was_deleted() -> TestResult {
    let (_db, store) = store_with(|builder| builder.projection::<SalesProjection>(Lifecycle::Async)).await?;
    let (id, customer) = (Uuid::now_v7(), CustomerId::default());
    let first = store.aggregate::<Order>(id).append(Expected::Any, vec![placed(customer, 1)]).await?;
    let daemon = store.start_daemon().await?;
    store.wait_for("customer-sales", first.position(), SOON).await?;
    daemon.shutdown().await;

    store.events().delete_stream(id).await?;

    let next = store.aggregate::<Order>(Uuid::now_v7()).append(Expected::Any, vec![placed(customer, 2)]).await?;
    let _daemon = store.start_daemon().await?;
    store.wait_for("customer-sales", next.position(), SOON).await?;
    let sales = store.docs().get::<CustomerSales>(&customer).await?.ok_or("a document")?;
    assert_eq!(sales.0.total, 3);
    Ok(())
}

#[tokio::test]
async fn an_alias_is_one_stream_for_everybody_who_asks_at_once() -> TestResult {
    let (db, store) = store().await?;
    // another process: nothing is shared but the database
    let elsewhere = rillflow::Store::connect(db.url()).await?;
    for round in 0..5 {
        let alias = format!("orders:{round}");
        let askers = (0..16).map(|n| {
            let (store, alias) = (if n % 2 == 0 { store.clone() } else { elsewhere.clone() }, alias.clone());
            tokio::spawn(async move { store.resolve_stream_alias(&alias).await })
        });
        let mut ids = std::collections::HashSet::new();
        for asker in askers.collect::<Vec<_>>() {
            ids.insert(asker.await??);
        }
        assert_eq!(ids.len(), 1, "{alias}");
    }
    assert_ne!(store.resolve_stream_alias("orders:0").await?, store.resolve_stream_alias("Orders:0").await?);
    Ok(())
}

#[tokio::test]
async fn who_asks_for_an_alias_that_is_being_made_waits_and_gets_the_same() -> TestResult {
    let (_db, store) = store().await?;
    let made = Uuid::now_v7();
    let insert = "INSERT INTO stream_aliases (alias, stream_id) VALUES ('orders:1', $1)";
    for (commits, alias_is) in [(false, None), (true, Some(made))] {
        sqlx::query("DELETE FROM stream_aliases").execute(store.pool()).await?;
        let mut open = store.pool().begin().await?;
        sqlx::query(insert).bind(made).execute(&mut *open).await?;
        let asking = tokio::spawn({
            // a store of its own has an empty cache
            let other = rillflow::Store::builder(store.pool()).build().await?;
            async move { other.resolve_stream_alias("orders:1").await }
        });
        until_somebody_waits(store.pool()).await?;
        if commits {
            open.commit().await?
        } else {
            open.rollback().await?
        }
        let id = asking.await??;
        assert!(alias_is.is_none_or(|it| it == id) && (commits || id != made));
    }
    Ok(())
}

#[tokio::test]
async fn an_alias_that_was_seen_is_not_asked_for_again() -> TestResult {
    let (_db, store) = store().await?;
    let id = store.resolve_stream_alias("orders:1").await?;
    sqlx::query("DROP TABLE stream_aliases").execute(store.pool()).await?;
    assert_eq!(store.resolve_stream_alias("orders:1").await?, id);
    assert!(matches!(store.resolve_stream_alias("orders:2").await, Err(Error::Schema { .. })));
    Ok(())
}

#[tokio::test]
async fn a_session_and_an_append_among_others_are_refused_by_an_archived_stream_as_well() -> TestResult {
    let (_db, store) = store().await?;
    let (archived, deleted) = (Uuid::now_v7(), Uuid::now_v7());
    for id in [archived, deleted] {
        store.events().append_stream(id, Expected::Any, [tick(1)]).await?;
    }
    store.events().archive_stream(archived).await?;
    store.events().delete_stream(deleted).await?;
    for (id, kind) in [(archived, "StreamArchived"), (deleted, "StreamDeleted")] {
        let mut session = store.session();
        session.append(id, Expected::Any, [tick(2)])?;
        let refused = session.commit().await.err().ok_or(kind)?;
        assert!(format!("{refused:?}").starts_with(kind), "{refused:?}");
    }
    // many at once share statements: those to open streams go through
    let appends = (0..64).map(|n| {
        let store = store.clone();
        let id = if n % 4 == 0 { archived } else { Uuid::now_v7() };
        tokio::spawn(async move { (id, store.events().append_stream(id, Expected::Any, [tick(n)]).await) })
    });
    for append in appends.collect::<Vec<_>>() {
        match append.await? {
            (id, Err(Error::StreamArchived { .. })) if id == archived => {}
            (id, Ok(_)) if id != archived => {}
            other => return Err(format!("{other:?}").into()),
        }
    }
    Ok(())
}
