use rillflow::{Document, Error, PayloadProblem};
use serde::{Deserialize, Serialize};

use crate::orders::{Customer, Status, customer};
use crate::support::{TestResult, statements_sent, store_with};

/// A document that keeps its row when it is deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(soft_delete)]
struct Note {
    #[document(id)]
    id: String,
    #[document(unique)]
    title: String,
    stars: f64,
}

fn note(id: &str) -> Note {
    Note { id: id.to_owned(), title: format!("title of {id}"), stars: 1.0 }
}

crate::layouts::declared!(Note);

#[tokio::test]
async fn a_document_comes_back_with_its_version() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    let one = customer(1);

    assert_eq!(store.docs().get::<Customer>(&one.id).await?, None);
    assert_eq!(store.docs().put(&one).await?, 1);
    assert_eq!(store.docs().get(&one.id).await?, Some((one.clone(), 1)));
    assert_eq!(store.docs().put(&Customer { status: Status::Active, ..one.clone() }).await?, 2);
    Ok(())
}

#[tokio::test]
async fn an_insert_never_overwrites() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    let one = customer(1);
    assert_eq!(store.docs().insert(&one).await?, 1);

    let again = store.docs().insert(&Customer { email: "other@example.com".into(), ..one.clone() }).await;

    assert!(matches!(again, Err(Error::AlreadyExists { collection: "customers", .. })), "{again:?}");
    assert_eq!(store.docs().get(&one.id).await?, Some((one, 1)));
    Ok(())
}

#[tokio::test]
async fn an_update_of_another_version_is_a_conflict_and_writes_nothing() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    let one = customer(1);
    store.docs().put(&one).await?;

    assert_eq!(store.docs().update::<Customer>(&one.id, 1, |c| c.score = Some(9.5)).await?, 2);
    let stale = store.docs().update::<Customer>(&one.id, 1, |c| c.score = None).await;

    assert!(
        matches!(&stale, Err(Error::DocVersionConflict { collection: "customers", id, expected: 1, actual: 2 }) if *id == one.id.0.to_string()),
        "{stale:?}"
    );
    let missing = store.docs().update::<Customer>(&customer(2).id, 1, |_| {}).await;
    assert!(matches!(missing, Err(Error::DocNotFound { .. })), "{missing:?}");
    assert_eq!(store.docs().get(&one.id).await?, Some((Customer { score: Some(9.5), ..one }, 2)));
    Ok(())
}

#[tokio::test]
async fn of_many_updates_of_one_version_one_wins() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    let one = customer(1);
    store.docs().put(&one).await?;
    let updates: Vec<_> = (0..8)
        .map(|n| {
            let (store, id) = (store.clone(), one.id);
            tokio::spawn(async move { store.docs().update::<Customer>(&id, 1, |c| c.score = Some(f64::from(n))).await })
        })
        .collect();
    let mut won = 0;
    for update in updates {
        match update.await? {
            Ok(2) => won += 1,
            Err(Error::DocVersionConflict { actual: 2, .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 1);
    Ok(())
}

#[tokio::test]
async fn a_unique_index_is_named_in_the_error() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    store.docs().put(&customer(1)).await?;
    let twin = Customer { handle: customer(1).handle, ..customer(2) };

    let refused = store.docs().put(&twin).await;
    assert!(
        matches!(&refused, Err(Error::UniqueViolation { collection: "customers", index }) if index.contains("handle")),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test]
async fn documents_of_another_schema_are_another_collection() -> TestResult {
    let (db, store) = store_with(|it| it.document::<Customer>()).await?;
    let elsewhere = rillflow::Store::builder(db.url()).schema("app").document::<Customer>().build().await?;
    elsewhere.schema().sync(&Default::default()).await?;
    elsewhere.docs().put(&customer(1)).await?;
    assert!(store.docs().get::<Customer>(&customer(1).id).await?.is_none());
    assert!(elsewhere.docs().get::<Customer>(&customer(1).id).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn sync_repairs_an_index_whose_build_broke_off_and_adds_one_that_is_missing() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    let index: String = sqlx::query_scalar(
        "SELECT indexname::text FROM pg_indexes WHERE tablename = 'docs_customers' AND indexname LIKE '%email%'",
    )
    .fetch_one(store.pool())
    .await?;
    sqlx::query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1::regclass")
        .bind(&index)
        .execute(store.pool())
        .await?;
    let again = format!("index {index}: build again, as its build broke off");
    assert_eq!(store.schema().sync(&Default::default()).await?.steps, [again]);
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("DROP INDEX {index}"))).execute(store.pool()).await?;
    assert_eq!(store.schema().sync(&Default::default()).await?.steps, [format!("index {index}: create")]);
    assert_eq!(store.schema().sync(&Default::default()).await?.steps, [] as [String; 0]);
    Ok(())
}

#[tokio::test]
async fn a_soft_deleted_document_refuses_every_write_until_it_is_restored() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Note>()).await?;
    let (docs, one, id) = (store.docs(), note("a"), "a".to_owned());
    docs.put(&one).await?;

    assert!(docs.delete::<Note>(&id).await?);
    assert!(!docs.delete::<Note>(&id).await?, "it is deleted already");
    assert_eq!(docs.get::<Note>(&id).await?, None);
    assert!(!docs.exists::<Note>(&id).await?);
    assert_eq!((docs.count::<Note>().await?, docs.query::<Note>().count().await?), (0, 0));
    let refused = [
        docs.put(&one).await,
        docs.insert(&one).await,
        docs.replace(&one, 1).await,
        docs.update::<Note>(&id, 1, |it| it.stars = 2.0).await,
    ];
    for refused in refused {
        assert!(matches!(&refused, Err(Error::DocDeleted { collection: "notes", id }) if id == "a"), "{refused:?}");
    }

    assert_eq!(docs.restore::<Note>(&id).await?, 3, "deleting and restoring are versions of their own");
    assert_eq!(docs.restore::<Note>(&id).await?, 3, "there is nothing to restore");
    assert_eq!(docs.get::<Note>(&id).await?, Some((one, 3)));
    assert!(docs.delete::<Note>(&id).await? && docs.hard_delete::<Note>(&id).await?);
    assert!(matches!(docs.restore::<Note>(&id).await, Err(Error::DocNotFound { .. })));
    Ok(())
}

#[tokio::test]
async fn a_document_without_soft_delete_is_gone() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    let one = customer(1);
    store.docs().put(&one).await?;
    assert!(store.docs().exists::<Customer>(&one.id).await?);
    assert!(store.docs().delete::<Customer>(&one.id).await?);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM docs_customers").fetch_one(store.pool()).await?;
    assert_eq!(rows, 0);
    assert_eq!(store.docs().insert(&one).await?, 1);
    Ok(())
}

#[tokio::test]
async fn many_documents_come_in_the_order_asked_for() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Note>()).await?;
    for id in ["a", "b", "c", "gone"] {
        store.docs().put(&note(id)).await?;
    }
    store.docs().put(&note("b")).await?;
    store.docs().delete::<Note>(&"gone".to_owned()).await?;
    let ids = ["c", "nobody", "gone", "b"].map(str::to_owned);
    assert_eq!(store.docs().get_many::<Note>(&ids).await?, [(note("c"), 1), (note("b"), 2)]);
    assert_eq!(store.docs().get_many::<Note>([]).await?, []);
    Ok(())
}

#[tokio::test]
async fn each_operation_is_one_statement() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Note>()).await?;
    let (docs, one, id) = (store.docs(), note("a"), "a".to_owned());
    docs.count::<Note>().await?; // the first connection is there
    statements_sent();
    macro_rules! costs {
        ($count:literal: $($call:expr;)*) => { $(
            $call.await?;
            assert_eq!(statements_sent(), $count, stringify!($call));
        )* };
    }
    costs! { 1:
        docs.insert(&one);
        docs.put(&one);
        docs.get::<Note>(&id);
        docs.get_many::<Note>([&id]);
        docs.replace(&one, 2);
        docs.delete::<Note>(&id);
        docs.restore::<Note>(&id);
        docs.exists::<Note>(&id);
        docs.query::<Note>().filter(|it| it.title.eq("x")).fetch_all();
    }
    costs! { 2: docs.update::<Note>(&id, 5, |it| it.stars += 1.0); }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_before_anything_is_sent() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Note>()).await?;
    store.docs().put(&note("a")).await?;
    statements_sent();
    let too_large = Note { title: "x".repeat(rillflow::model::jsonb::MAX_BYTES), ..note("b") };
    for (wrong, problem) in [
        (Note { title: "a\0b".into(), ..note("b") }, PayloadProblem::Nul),
        (Note { id: "\0".into(), ..note("b") }, PayloadProblem::Nul),
        (Note { stars: f64::NAN, ..note("b") }, PayloadProblem::NotFinite),
        (Note { stars: f64::INFINITY, ..note("b") }, PayloadProblem::NotFinite),
        (too_large, PayloadProblem::TooLarge { bytes: rillflow::model::jsonb::MAX_BYTES + 33 }),
    ] {
        let refused = store.docs().put(&wrong).await;
        assert!(matches!(&refused, Err(Error::Payload { problem: found, .. }) if *found == problem), "{refused:?}");
    }
    assert_eq!(statements_sent(), 0);
    Ok(())
}

#[tokio::test]
async fn a_foreign_key_that_points_nowhere_is_named() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Note>()).await?;
    sqlx::raw_sql(
        "CREATE TABLE titles (title text PRIMARY KEY);
         ALTER TABLE docs_notes ADD COLUMN of text GENERATED ALWAYS AS (doc->>'title') STORED;
         ALTER TABLE docs_notes ADD CONSTRAINT docs_notes_title_fkey FOREIGN KEY (of) REFERENCES titles;",
    )
    .execute(store.pool())
    .await?;
    let refused = store.docs().put(&note("a")).await;
    assert!(
        matches!(&refused, Err(Error::ForeignKeyViolation { collection: "notes", constraint }) if constraint == "docs_notes_title_fkey"),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_an_index_cannot_hold_is_a_payload_error_and_not_a_database_error() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Note>()).await?;
    let mut seed = 7_u64; // text that does not compress: an index entry holds 2.7 kB
    let noise = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        char::from(b'a' + (seed >> 33) as u8 % 26)
    });
    let refused = store.docs().put(&Note { title: noise.take(9000).collect(), ..note("a") }).await;
    assert!(matches!(&refused, Err(Error::Encode { reason, .. }) if reason.contains("index row")), "{refused:?}");
    Ok(())
}
