use rillflow::{Error, Expected, Store};
use sqlx::PgPool;
use uuid::Uuid;

use crate::orders::{Customer, customer};
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

/// Everything in the schema `public`, in PostgreSQL's own words.
async fn catalog(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    let everything = "\
        SELECT format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) \
        FROM information_schema.columns WHERE table_schema = 'public' \
        UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
        UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) \
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
        UNION ALL SELECT pg_get_triggerdef(oid) || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal \
        UNION ALL SELECT pg_get_functiondef(it.oid) FROM pg_proc it WHERE it.pronamespace = 'public'::regnamespace \
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = it.oid AND deptype = 'e') \
        UNION ALL SELECT sequence::text FROM pg_sequences sequence WHERE schemaname = 'public' \
        UNION ALL SELECT relname || reloptions::text FROM pg_class WHERE relnamespace = 'public'::regnamespace \
        ORDER BY 1";
    let found: Vec<Option<String>> = sqlx::query_scalar(everything).fetch_all(pool).await?;
    Ok(found.into_iter().flatten().filter(|it| !it.contains("_sqlx_migrations")).collect())
}

#[tokio::test]
async fn plain_migrations_make_the_same_store_as_sync() -> TestResult {
    let (by_sync, by_migrations) = (Db::create().await?, Db::create().await?);
    let synced = Store::builder(by_sync.url()).document::<Customer>().build().await?;
    synced.schema().sync(&Default::default()).await?;

    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations"));
    let migrated = Store::builder(by_migrations.url()).document::<Customer>().build().await?;
    sqlx::migrate::Migrator::new(folder).await?.run(migrated.pool()).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(migrated.schema().texts_alone().patch())).execute(migrated.pool()).await?;

    assert_eq!(catalog(migrated.pool()).await?, catalog(synced.pool()).await?);
    assert_eq!(migrated.schema().sync(&Default::default()).await?.steps, [] as [String; 0]);
    migrated.events().append_stream(Uuid::now_v7(), Expected::NoStream, [tick(1)]).await?;
    migrated.docs().put(&customer(1)).await?;
    assert_eq!(migrated.events().read_all(0, 10).await?.len(), 1);
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
