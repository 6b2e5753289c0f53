use rillflow::{Error, Event, Expected, Store};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{
    SOON, TestResult, statements_about, statements_sent, store_with, tick, transactions, until_somebody_waits,
};

/// Holds a stream's row, as an open append of somebody else does.
async fn hold(store: &Store, id: Uuid) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, Error> {
    let mut tx = store.pool().begin().await?;
    store.events().append_in_tx(&mut tx, id, Expected::Any, [tick(0)]).await?;
    Ok(tx)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_appends_share_statements_and_each_gets_its_own_result() -> TestResult {
    let (db, store) = store_with(|it| it).await?;
    let watch = PgPool::connect(db.url()).await?;
    let taken = Uuid::now_v7();
    store.events().append_stream(taken, Expected::NoStream, [tick(1)]).await?;
    let before = transactions(&watch).await?;
    let callers: Vec<_> = (0..200)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                // every tenth expects what is not so
                let (id, expected) =
                    if n % 10 == 0 { (taken, Expected::NoStream) } else { (Uuid::now_v7(), Expected::NoStream) };
                (n, id, store.events().append_stream(id, expected, [tick(n), tick(-n)]).await)
            })
        })
        .collect();
    let mut positions = Vec::new();
    for caller in callers {
        match caller.await? {
            (n, id, Err(Error::VersionConflict { stream_id, actual: 1, .. })) if n % 10 == 0 => {
                assert_eq!(stream_id.0, id)
            }
            (n, id, Ok(appended)) if n % 10 != 0 => {
                let events = store.events().read_stream(id).await?;
                let bodies: Vec<i64> = events.iter().map(|e| e.body.parse()).collect::<Result<_, _>>()?;
                assert_eq!((bodies, appended.version, appended.positions.len()), (vec![n, -n], 2, 2));
                assert_eq!(events.iter().map(|e| e.global_seq).collect::<Vec<_>>(), appended.positions);
                positions.extend(appended.positions);
            }
            (n, _, other) => panic!("{n}: {other:?}"),
        }
    }
    positions.sort_unstable();
    positions.dedup();
    assert_eq!(positions.len(), 360);
    let spent = transactions(&watch).await? - before - 180; // the reads above
    assert!(spent < 150, "200 appends took {spent} transactions");
    Ok(())
}

#[tokio::test]
async fn those_who_were_answered_together_append_together_again() -> TestResult {
    let (_db, store) = store_with(|it| it).await?;
    let callers = (0..8).map(|_| async {
        let id = Uuid::now_v7();
        for n in 0..40 {
            store.events().append_stream(id, Expected::Exact(n), [tick(n)]).await?;
        }
        Ok::<_, Error>(())
    });
    statements_sent();
    futures_util::future::try_join_all(callers).await?;
    let sent = statements_about("-- Appends ").len();
    assert!(sent < 320 / 3, "320 appends took {sent} statements: two lanes share eight callers");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_somebody_holds_holds_up_only_its_own_callers() -> TestResult {
    let (_db, store) = store_with(|it| it.max_connections(6)).await?;
    let held = Uuid::now_v7();
    let open = hold(&store, held).await?;
    // more callers than there are connections
    let stuck: Vec<_> = (0..20)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.events().append_stream(held, Expected::Any, [tick(n)]).await })
        })
        .collect();
    until_somebody_waits(store.pool()).await?;

    let others: Vec<_> = (0..50)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(
                async move { store.events().append_stream(Uuid::now_v7(), Expected::NoStream, [tick(n)]).await },
            )
        })
        .collect();
    for other in others {
        tokio::time::timeout(SOON, other).await???;
    }
    assert!(stuck.iter().all(|it| !it.is_finished()));
    open.commit().await?;
    for caller in stuck {
        caller.await??;
    }
    assert_eq!(store.events().read_stream(held).await?.len(), 21);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_the_server_refuses_fails_only_its_own_caller() -> TestResult {
    let (_db, store) = store_with(|it| it).await?;
    let callers: Vec<_> = (0..60)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let event = match n % 20 {
                    // jsonb headers take no NUL
                    7 => tick(n).with_headers(&serde_json::json!({ "nul": "\u{0}" })),
                    _ => tick(n),
                };
                (n, store.events().append_stream(Uuid::now_v7(), Expected::Any, [event]).await)
            })
        })
        .collect();
    for caller in callers {
        match caller.await? {
            (n, Err(Error::Database(_))) if n % 20 == 7 => {}
            (n, Ok(_)) if n % 20 != 7 => {}
            (n, other) => panic!("{n}: {other:?}"),
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_caller_neither_loses_nor_doubles_anything() -> TestResult {
    let (_db, store) = store_with(|it| it).await?;
    let streams: Vec<_> = (0..80).map(|_| Uuid::now_v7()).collect();
    let callers: Vec<_> = streams
        .iter()
        .enumerate()
        .map(|(n, &id)| {
            let store = store.clone();
            tokio::spawn(async move { store.events().append_stream(id, Expected::Any, [tick(n as i64)]).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let mut finished = Vec::new();
    for (n, caller) in callers.into_iter().enumerate() {
        if n % 3 == 0 {
            caller.abort();
        }
        finished.push(match caller.await {
            Ok(appended) => Some(appended?.version),
            Err(cancelled) if cancelled.is_cancelled() => None,
            Err(panicked) => return Err(panicked.into()),
        });
    }
    // every lane still works, and what was not cancelled is there, once
    for n in 0..8 {
        store.events().append_stream(Uuid::now_v7(), Expected::NoStream, [tick(n)]).await?;
    }
    for (id, finished) in streams.iter().zip(finished) {
        let stored = store.events().read_stream(*id).await?.len();
        assert!(stored == 1 || (finished.is_none() && stored == 0), "{stored} of {finished:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_caller_of_a_held_stream_lets_the_next_one_in() -> TestResult {
    let (_db, store) = store_with(|it| it).await?;
    let held = Uuid::now_v7();
    let open = hold(&store, held).await?;
    let append = |n| {
        let store = store.clone();
        tokio::spawn(async move { store.events().append_stream(held, Expected::Any, [tick(n)]).await })
    };
    let (first, second) = (append(1), append(2));
    until_somebody_waits(store.pool()).await?;
    first.abort();
    open.commit().await?;
    assert!(second.await?.is_ok());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_that_go_alone_give_the_same_results() -> TestResult {
    let (_db, store) = store_with(|it| it.batch_appends(false)).await?;
    let id = Uuid::now_v7();
    let callers: Vec<_> = (0..20)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.events().append_stream(id, Expected::Any, [tick(n)]).await })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    assert_eq!(store.events().read_stream(id).await?.len(), 20);
    Ok(())
}

#[tokio::test]
async fn a_large_append_is_whole() -> TestResult {
    let (_db, store) = store_with(|it| it).await?;
    let id = Uuid::now_v7();
    let text = "x".repeat(10_000);
    let events = (0..500).map(|_| Event::new("page", &text));
    assert_eq!(store.events().append_stream(id, Expected::NoStream, events).await?.version, 500);
    assert_eq!(store.events().read_stream(id).await?.len(), 500);
    Ok(())
}

#[tokio::test]
async fn what_is_far_larger_than_usual_is_whole_too() -> TestResult {
    let (_db, store) = store_with(|it| it).await?;
    let (many, huge) = (Uuid::now_v7(), Uuid::now_v7());
    let appended = store.events().append_stream(many, Expected::NoStream, (0..100_000).map(tick)).await?;
    assert_eq!((appended.version, appended.positions.len()), (100_000, 100_000));
    assert_eq!(store.events().stream_state(many).await?.map(|it| it.version), Some(100_000));

    let text = "x".repeat(16 << 20);
    store.events().append_stream(huge, Expected::NoStream, [Event::new("page", &text)]).await?;
    let read = store.events().read_stream(huge).await?;
    assert_eq!(read[0].body.as_str().len(), text.len() + 2);

    let mut session = store.session();
    for n in 0..10_000 {
        session.append(Uuid::now_v7(), Expected::NoStream, [tick(n)])?;
    }
    assert_eq!(session.commit().await?.appended.len(), 10_000);
    let state = "SELECT count(*) = 110001 FROM events";
    assert!(sqlx::query_scalar::<_, bool>(state).fetch_one(store.pool()).await?);
    Ok(())
}
