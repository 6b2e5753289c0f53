use rillflow::{Error, Expected, Store};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{Db, TestResult, store, tick};

#[tokio::test]
async fn a_second_sync_has_nothing_to_do() -> TestResult {
    let db = Db::create().await?;
    let store = Store::connect(db.url()).await?;
    assert!(!store.schema().sync(&Default::default()).await?.steps.is_empty());
    assert_eq!(store.schema().sync(&Default::default()).await?.steps, [] as [String; 0]);
    Ok(())
}

#[tokio::test]
async fn several_processes_may_sync_at_once() -> TestResult {
    let db = Db::create().await?;
    let mut processes = Vec::new();
    for _ in 0..6 {
        // a store each, as processes have: nothing is shared but the database
        let store = Store::builder(db.url()).max_connections(2).build().await?;
        processes.push(tokio::spawn(async move { store.schema().sync(&Default::default()).await }));
    }
    let mut worked = 0;
    for process in processes {
        worked += usize::from(!process.await??.steps.is_empty());
    }
    assert_eq!(worked, 1, "one does the work, the others find it done");
    Ok(())
}

#[tokio::test]
async fn two_schemas_of_one_database_are_two_stores() -> TestResult {
    let db = Db::create().await?;
    let id = Uuid::now_v7();
    for schema in ["app", "App", "_1"] {
        let store = Store::builder(db.url()).schema(schema).build().await?;
        store.schema().sync(&Default::default()).await?;
        let appended = store.events().append_stream(id, Expected::NoStream, [tick(1)]).await?;
        assert_eq!((appended.version, appended.position()), (1, 1), "{schema} begins by itself");
        assert_eq!(store.events().read_all(0, 10).await?.len(), 1);
    }
    let in_public: bool = sqlx::query_scalar("SELECT to_regclass('public.events') IS NOT NULL")
        .fetch_one(&PgPool::connect(db.url()).await?)
        .await?;
    assert!(!in_public);
    Ok(())
}

#[tokio::test]
async fn names_that_cannot_be_a_schema_are_refused() -> TestResult {
    let db = Db::create().await?;
    for name in ["", "1a", "a b", "a\"b", "a;drop", "pg_x", "ä", &"x".repeat(64)] {
        let refused = Store::builder(db.url()).schema(name).build().await.unwrap_err();
        assert!(matches!(refused, Error::Schema { .. }), "{name}: {refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_table_that_is_somebody_elses_is_refused_by_name_with_a_way_out() -> TestResult {
    let db = Db::create().await?;
    let store = Store::connect(db.url()).await?;
    sqlx::raw_sql("CREATE TABLE events (mine int)").execute(store.pool()).await?;

    let refused = store.schema().sync(&Default::default()).await.unwrap_err().to_string();
    assert!(refused.contains("`events`") && refused.contains("--schema"), "{refused}");

    let elsewhere = Store::builder(db.url()).schema("rillflow").build().await?;
    elsewhere.schema().sync(&Default::default()).await?;
    elsewhere.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
    Ok(())
}

#[tokio::test]
async fn a_store_without_its_schema_says_what_to_call() -> TestResult {
    let db = Db::create().await?;
    let store = Store::connect(db.url()).await?;
    let error = store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1)]).await.unwrap_err();
    assert!(matches!(&error, Error::Schema { help, .. } if help.contains("store.schema().sync(")), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_sequence_that_could_lose_events_is_refused() -> TestResult {
    let (_db, store) = store().await?;
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1), tick(2)]).await?;
    let cases = [
        ("ALTER SEQUENCE events_global_seq CACHE 20", "in blocks", "ALTER SEQUENCE events_global_seq CACHE 1"),
        ("SELECT setval('events_global_seq', 1)", "used twice", "SELECT setval('events_global_seq', 2)"),
        (
            "ALTER TABLE events DISABLE TRIGGER events_announce",
            "is off",
            "ALTER TABLE events ENABLE TRIGGER events_announce",
        ),
    ];
    for (break_it, problem, mend_it) in cases {
        sqlx::raw_sql(break_it).execute(store.pool()).await?;
        let refused = store.schema().sync(&Default::default()).await.unwrap_err();
        assert!(refused.to_string().contains(problem), "{break_it}: {refused}");
        sqlx::raw_sql(mend_it).execute(store.pool()).await?;
        store.schema().sync(&Default::default()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn no_function_of_ours_looks_for_names_where_its_caller_says() -> TestResult {
    let (_db, store) = store().await?;
    let open: Vec<String> = sqlx::query_scalar(
        "SELECT proname::text FROM pg_proc WHERE proname LIKE 'rillflow%' AND prosqlbody IS NULL \
         AND NOT coalesce(proconfig::text LIKE '%search_path=pg_catalog, pg_temp%', false)",
    )
    .fetch_all(store.pool())
    .await?;
    assert_eq!(open, [] as [String; 0], "neither bound when it was made nor with a search_path of its own");
    Ok(())
}
