use rillflow::Lifecycle::Inline;
use rillflow::{Document, Error, Expected, Session, Store};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::orders::{Customer, CustomerSales, Order, SalesProjection, Status, customer, placed};
use crate::support::{Db, TestResult, statements_about, statements_sent, store_with, tick};

async fn store() -> Result<(Db, Store), Box<dyn std::error::Error>> {
    store_with(|it| it.document::<Customer>().document::<CustomerSales>()).await
}

async fn stored(store: &Store, n: i64) -> rillflow::Result<Option<(Customer, i64)>> {
    store.docs().get::<Customer>(&customer(n).id).await
}

fn sales(n: i64) -> CustomerSales {
    CustomerSales { id: customer(n).id, total: n, ..Default::default() }
}

crate::layouts::declared!(Note);

#[tokio::test]
async fn documents_and_events_are_written_in_one_transaction_of_one_statement() -> TestResult {
    let (_db, store) = store().await?;
    let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
    let mut session = store.session();
    for n in 0..3 {
        session.store(&customer(n))?;
    }
    session.insert(&sales(1))?;
    session.append(b, Expected::NoStream, [tick(1)])?;
    session.append_to::<Order>(a, Expected::NoStream, [placed(customer(1).id, 5)])?;
    session.append(b, Expected::Any, [tick(2), tick(3)])?;
    statements_sent();
    let committed = session.commit().await?;

    // the marker may have looked already
    let sent: Vec<_> = statements_about("").into_iter().filter(|it| !it.contains("_mark")).collect();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(committed.appended.iter().map(|it| it.version).sum::<i64>(), 4);
    assert_eq!(store.events().read_stream(b).await?.len(), 3);
    assert_eq!(store.aggregate::<Order>(a).load().await?.state.total, 5);
    assert_eq!(stored(&store, 2).await?, Some((customer(2), 1)));
    assert_eq!(store.docs().get(&sales(1).id).await?, Some((sales(1), 1)));
    assert_eq!(store.events().read_all(0, 10).await?.last().map(|e| e.global_seq), Some(committed.position()));
    Ok(())
}

/// Something that a commit cannot get past.
type Stage = fn(&mut Session) -> rillflow::Result<()>;

#[tokio::test]
async fn a_conflict_anywhere_leaves_nothing_written_and_everything_staged() -> TestResult {
    const TAKEN: Uuid = Uuid::from_u128(7);
    let conflicts: [(&str, Stage); 6] = [
        ("VersionConflict", |it| it.append(TAKEN, Expected::NoStream, [tick(1)])),
        ("VersionConflict", |it| it.append(Uuid::from_u128(8), Expected::Exact(4), [tick(1)])),
        ("AlreadyExists", |it| it.insert(&customer(9))),
        ("DocVersionConflict", |it| it.update(&customer(9), 4)),
        ("DocVersionConflict", |it| it.update(&customer(10), 1)),
        ("UniqueViolation", |it| it.store(&Customer { handle: customer(9).handle, ..customer(11) })),
    ];
    for (kind, stage) in conflicts {
        let (_db, store) = store().await?;
        store.events().append_stream(TAKEN, Expected::Any, [tick(0)]).await?;
        store.docs().put(&customer(9)).await?;
        let fresh = Uuid::now_v7();
        let mut session = store.session();
        session.store(&customer(1))?;
        session.store(&sales(1))?;
        session.append(fresh, Expected::NoStream, [tick(1)])?;
        stage(&mut session)?;

        let error = session.commit().await.err().ok_or(kind)?;
        assert!(format!("{error:?}").starts_with(kind), "{kind}: {error:?}");
        assert_eq!(stored(&store, 1).await?, None, "{kind}");
        assert!(store.docs().get(&sales(1).id).await?.is_none_or(|(_, _): (CustomerSales, _)| false));
        assert!(store.events().read_stream(fresh).await?.is_empty(), "{kind}");

        // what stood in the way goes, and the same session goes through
        let clear = "DELETE FROM docs_customers; DELETE FROM streams; ALTER TABLE events DISABLE TRIGGER events_note_removal; DELETE FROM events";
        sqlx::raw_sql(clear).execute(store.pool()).await?;
        match session.commit().await {
            Ok(_) => {
                assert_eq!(store.events().read_stream(fresh).await?.len(), 1);
                assert!(stored(&store, 1).await?.is_some());
            }
            Err(Error::VersionConflict { actual: 0, .. } | Error::DocVersionConflict { actual: 0, .. }) => {
                assert!(store.events().read_stream(fresh).await?.is_empty(), "{kind}");
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_document_that_was_loaded_is_written_only_if_nobody_changed_it() -> TestResult {
    let (_db, store) = store().await?;
    store.docs().put(&customer(1)).await?;
    let mut session = store.session();
    let mut one = session.load::<Customer>(&customer(1).id).await?.ok_or("no document")?;
    assert_eq!(session.load::<Customer>(&customer(2).id).await?, None);
    one.status = Status::Active;
    session.store(&one)?;
    session.store(&customer(2))?;

    store.docs().put(&customer(2)).await?; // was not there when the session looked
    assert!(matches!(session.commit().await, Err(Error::AlreadyExists { .. })));
    sqlx::raw_sql("DELETE FROM docs_customers WHERE doc->>'handle' = 'c2'").execute(store.pool()).await?;
    store.docs().put(&customer(1)).await?; // is at another version than the session saw
    let stale = session.commit().await;
    assert!(matches!(stale, Err(Error::DocVersionConflict { expected: 1, actual: 2, .. })), "{stale:?}");
    assert_eq!(stored(&store, 1).await?, Some((customer(1), 2)));
    assert_eq!(stored(&store, 2).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_session_sees_what_it_staged_and_goes_on_after_a_commit() -> TestResult {
    let (_db, store) = store().await?;
    let mut session = store.session();
    session.store(&customer(1))?;
    session.store(&Customer { score: Some(2.5), ..customer(1) })?; // the last one wins
    assert_eq!(session.load::<Customer>(&customer(1).id).await?.and_then(|it| it.score), Some(2.5));
    session.commit().await?;
    assert_eq!(stored(&store, 1).await?.map(|it| it.1), Some(1), "one row, written once");

    session.store(&customer(1))?;
    session.commit().await?;
    assert_eq!(stored(&store, 1).await?, Some((customer(1), 2)));
    session.delete::<Customer>(&customer(1).id);
    assert_eq!(session.load::<Customer>(&customer(1).id).await?, None);
    session.commit().await?;
    assert_eq!(stored(&store, 1).await?, None);
    assert_eq!(session.commit().await?, Default::default(), "nothing is staged");
    Ok(())
}

#[tokio::test]
async fn inline_projections_commit_with_their_session() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>().projection::<SalesProjection>(Inline)).await?;
    let kim = customer(1);
    let mut session = store.session();
    session.store(&kim)?;
    session.append_to::<Order>(Uuid::now_v7(), Expected::NoStream, [placed(kim.id, 5)])?;
    session.append_to::<Order>(Uuid::now_v7(), Expected::NoStream, [placed(kim.id, 6)])?;
    session.commit().await?;
    let total = store.docs().get::<CustomerSales>(&kim.id).await?.map(|(it, _)| (it.orders, it.total));
    assert_eq!(total, Some((2, 11)));

    session.store(&customer(2))?;
    session.append_to::<Order>(Uuid::now_v7(), Expected::NoStream, [placed(kim.id, i64::MAX)])?;
    assert!(matches!(session.commit().await, Err(Error::Projection { .. })));
    assert_eq!(stored(&store, 2).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_session_in_the_callers_transaction_is_there_when_that_commits_and_keeps_the_order() -> TestResult {
    let (_db, store) = store().await?;
    let mut session = store.session();
    session.store(&customer(1))?;
    session.append(Uuid::now_v7(), Expected::NoStream, [tick(1)])?;
    let mut tx = store.pool().begin().await?;
    session.commit_in_tx(&mut tx).await?;
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(2)]).await?;

    assert!(store.events().read_all(0, 10).await?.is_empty(), "2 is committed, but 1 may still come before it");
    assert_eq!(stored(&store, 1).await?, None);
    tx.commit().await?;
    assert_eq!(store.events().read_all(0, 10).await?.len(), 2);
    assert!(stored(&store, 1).await?.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_touch_the_same_things_in_any_order_never_deadlock() -> TestResult {
    let (_db, store) = store().await?;
    let streams: Vec<_> = (0..4).map(|_| Uuid::now_v7()).collect();
    let sessions: Vec<_> = (0..8)
        .map(|n| {
            let (store, mut streams) = (store.clone(), streams.clone());
            tokio::spawn(async move {
                for round in 0..10 {
                    streams.rotate_left((n + round) % 4);
                    let mut session = store.session();
                    for (k, id) in streams.iter().enumerate() {
                        session.append(*id, Expected::Any, [tick(k as i64)])?;
                        let number = ((k + n) % 4) as i64;
                        session.store(&customer(number))?;
                        session.store(&sales(number))?;
                    }
                    session.commit().await?;
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    for session in sessions {
        session.await??;
    }
    for id in streams {
        let events = store.events().read_stream(id).await?;
        assert_eq!(events.len(), 80);
        assert!(events.is_sorted_by_key(|e| e.global_seq));
    }
    assert_eq!(stored(&store, 1).await?.map(|it| it.1), Some(80));
    Ok(())
}

#[tokio::test]
async fn sessions_work_in_a_schema_of_their_own() -> TestResult {
    let (_db, store) = store_with(|it| it.schema("app").document::<Customer>()).await?;
    let mut session = store.session();
    session.store(&customer(1))?;
    session.append(Uuid::now_v7(), Expected::Any, [tick(1)])?;
    session.commit().await?;
    assert!(stored(&store, 1).await?.is_some());
    Ok(())
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(soft_delete)]
struct Note {
    #[document(id)]
    id: i64,
    text: String,
}

#[tokio::test]
async fn a_session_deletes_softly_where_the_collection_does_and_respects_what_is_deleted() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Note>()).await?;
    let note = |id| Note { id, text: "milk".to_owned() };
    store.docs().put(&note(1)).await?;
    store.docs().put(&note(2)).await?;
    let mut session = store.session();
    session.delete::<Note>(&1);
    session.commit().await?;
    assert_eq!(store.docs().get::<Note>(&1).await?, None);

    let stages: [fn(&mut Session, &Note) -> rillflow::Result<()>; 3] =
        [|it, note| it.store(note), |it, note| it.insert(note), |it, note| it.update(note, 1)];
    for stage in stages {
        let mut session = store.session();
        session.store(&note(3))?;
        stage(&mut session, &note(1))?;
        let refused = session.commit().await;
        assert!(matches!(&refused, Err(Error::DocDeleted { id, .. }) if id == "1"), "{refused:?}");
        assert_eq!(store.docs().get::<Note>(&3).await?, None);
    }
    store.docs().restore::<Note>(&1).await?;
    assert!(store.docs().get::<Note>(&1).await?.is_some());
    Ok(())
}
