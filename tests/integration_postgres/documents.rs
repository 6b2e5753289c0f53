use rillflow::Error;

use crate::orders::{Customer, Status, customer};
use crate::support::{TestResult, store_with};

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
    elsewhere.schema().sync().await?;
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
    assert_eq!(store.schema().sync().await?.steps, [format!("index {index}")]);
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("DROP INDEX {index}"))).execute(store.pool()).await?;
    assert_eq!(store.schema().sync().await?.steps, [format!("index {index}")]);
    assert_eq!(store.schema().sync().await?.steps, [] as [String; 0]);
    Ok(())
}
