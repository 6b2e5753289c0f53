use rillflow::{Error, Expected, Lifecycle, SchemaConfig, Store, StoreBuilder};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use crate::orders::{Customer, CustomerId, CustomerSales, SalesProjection, customer, placed};
use crate::support::{Db, SOON, TestResult, store_with, tick};

fn everything(it: StoreBuilder) -> StoreBuilder {
    it.document::<Customer>().projection::<SalesProjection>(Lifecycle::Async)
}

/// A store whose every connection is of one role.
async fn store_as(db: &Db, role: &'static str) -> Result<Store, Box<dyn std::error::Error>> {
    let become_role = format!("SET ROLE \"{}_{role}\"", db.name());
    let pool = PgPoolOptions::new()
        .after_connect(move |conn, _| {
            let become_role = sqlx::AssertSqlSafe(become_role.clone());
            Box::pin(async move { sqlx::raw_sql(become_role).execute(conn).await.map(drop) })
        })
        .connect(db.url())
        .await?;
    Ok(everything(Store::builder(pool)).build().await?)
}

/// A store whose roles are named by its database, as roles belong to the whole server.
async fn with_roles() -> Result<(Db, Store, DropRoles), Box<dyn std::error::Error>> {
    let (db, store) = store_with(everything).await?;
    store.schema().roles().named(db.name()).apply().await?;
    store.schema().roles().named(db.name()).apply().await?; // may run again
    let roles = DropRoles(db.name().to_owned());
    Ok((db, store, roles))
}

/// The names of a test's roles, to drop them at its end.
struct DropRoles(String);

impl DropRoles {
    async fn drop(self, pool: &PgPool) -> TestResult {
        for role in ["owner", "writer", "reader", "daemon"] {
            let name = format!("\"{}_{role}\"", self.0);
            let drop = format!("DROP OWNED BY {name} CASCADE; DROP ROLE {name}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(pool).await?;
        }
        Ok(())
    }
}

fn is_denied<T: std::fmt::Debug>(result: Result<T, Error>) -> bool {
    matches!(&result, Err(Error::Database(sqlx::Error::Database(e))) if e.code().as_deref() == Some("42501"))
}

#[tokio::test]
async fn a_writer_writes_but_moves_no_checkpoint_and_changes_no_schema() -> TestResult {
    let (db, store, roles) = with_roles().await?;
    let writer = store_as(&db, "writer").await?;
    writer.schema().assert(&SchemaConfig::single_tenant()).await?;
    assert_eq!(writer.schema().sync(&SchemaConfig::single_tenant()).await?.steps, [] as [String; 0]);
    writer.docs().put(&customer(1)).await?;
    assert!(writer.docs().delete::<Customer>(&customer(1).id).await?);
    let id = Uuid::now_v7();
    writer.events().append_stream(id, Expected::NoStream, [tick(1)]).await?;
    writer.events().builder(id).idempotency_key("once").push(tick(2)).send().await?;
    writer.resolve_stream_alias("orders:1").await?;
    assert_eq!(writer.events().read_all(0, 10).await?.len(), 2);
    writer.events().delete_stream(id).await?;

    for forbidden in [
        "UPDATE projections SET position = 0",
        "INSERT INTO projections (name, version) VALUES ('x', 1)",
        "CREATE TABLE mine (n int)",
        "DROP TABLE docs_customers",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "TRUNCATE streams",
        "DELETE FROM rillflow_migrations",
    ] {
        let refused = sqlx::raw_sql(forbidden).execute(writer.pool()).await.map(drop).map_err(Error::from);
        assert!(is_denied(refused), "{forbidden}");
    }
    drop(writer);
    roles.drop(store.pool()).await
}

#[tokio::test]
async fn a_reader_reads_and_nothing_else() -> TestResult {
    let (db, store, roles) = with_roles().await?;
    store.docs().put(&customer(1)).await?;
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::NoStream, [tick(1)]).await?;

    let reader = store_as(&db, "reader").await?;
    reader.schema().assert(&SchemaConfig::single_tenant()).await?;
    assert_eq!(reader.docs().get::<Customer>(&customer(1).id).await?.map(|it| it.1), Some(1));
    assert_eq!(reader.events().read_all(0, 10).await?.len(), 1);
    assert_eq!(reader.events().read_stream(id).await?.len(), 1);
    assert!(is_denied(reader.docs().put(&customer(2)).await));
    assert!(is_denied(reader.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1)]).await));
    assert!(is_denied(reader.events().delete_stream(id).await));
    assert!(is_denied(reader.docs().delete::<Customer>(&customer(1).id).await));
    drop(reader);
    roles.drop(store.pool()).await
}

#[tokio::test]
async fn a_daemon_keeps_read_models_and_appends_nothing() -> TestResult {
    let (db, store, roles) = with_roles().await?;
    let daemon = store_as(&db, "daemon").await?;
    let running = daemon.start_daemon().await?;
    let kim = CustomerId::default();
    let appended = store.events().append_stream(Uuid::now_v7(), Expected::Any, [placed(kim, 5)]).await?;
    daemon.wait_for("customer-sales", appended.position(), SOON).await?;
    assert_eq!(store.docs().get::<CustomerSales>(&kim).await?.map(|it| it.0.total), Some(5));
    assert!(is_denied(daemon.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1)]).await));
    for forbidden in ["DELETE FROM events", "UPDATE streams SET version = 0", "DROP TABLE projections"] {
        let refused = sqlx::raw_sql(forbidden).execute(daemon.pool()).await.map(drop).map_err(Error::from);
        assert!(is_denied(refused), "{forbidden}");
    }
    running.shutdown().await;
    drop(daemon);
    roles.drop(store.pool()).await
}

#[tokio::test]
async fn the_owner_mends_the_schema() -> TestResult {
    let (db, store, roles) = with_roles().await?;
    let owner = store_as(&db, "owner").await?;
    sqlx::raw_sql("DROP INDEX docs_customers_email_idx").execute(owner.pool()).await?;
    let changes = owner.schema().sync(&SchemaConfig::single_tenant()).await?;
    assert_eq!(changes.steps, ["index docs_customers_email_idx: create"]);
    drop(owner);
    roles.drop(store.pool()).await
}

#[tokio::test]
async fn a_function_of_ours_finds_what_it_names_whatever_its_caller_puts_first() -> TestResult {
    let (_db, store) = store_with(everything).await?;
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::NoStream, [tick(1)]).await?;
    let mut conn = store.pool().acquire().await?;
    // what an attacker would leave in a schema that comes first: every name that our functions use
    sqlx::raw_sql(
        "CREATE SCHEMA evil; \
         CREATE FUNCTION evil.gotcha() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE 'gotcha'; END $$; \
         CREATE FUNCTION evil.pg_sequence_last_value(regclass) RETURNS bigint LANGUAGE sql AS 'SELECT evil.gotcha()'; \
         CREATE FUNCTION evil.pg_advisory_xact_lock_shared(int, int) RETURNS void LANGUAGE sql AS 'SELECT evil.gotcha()'; \
         CREATE FUNCTION evil.jsonb_array_elements(jsonb) RETURNS SETOF jsonb LANGUAGE sql AS \
            'SELECT NULL::jsonb FROM (SELECT evil.gotcha()) it'; \
         CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz FROM (SELECT evil.gotcha()) it'; \
         CREATE FUNCTION evil.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT evil.gotcha() = 0'; \
         CREATE FUNCTION evil.current_database() RETURNS name LANGUAGE sql AS 'SELECT evil.gotcha()::text::name'; \
         CREATE TABLE evil.pg_locks (n int); CREATE TABLE evil.streams (n int); CREATE TABLE evil.events (n int); \
         SET search_path = evil, pg_catalog, public",
    )
    .execute(&mut *conn)
    .await?;
    let caught = sqlx::query("SELECT now()").execute(&mut *conn).await.unwrap_err().to_string();
    assert!(caught.contains("gotcha"), "the trap works: {caught}");
    for ours in [
        "SELECT * FROM public.rillflow_safe_mark()",
        "SELECT public.rillflow_patch('{\"a\": 1}', '[{\"op\": \"set\", \"path\": [\"a\"], \"value\": 2}]')",
        "SELECT public.rillflow_ts('2020-01-01T00:00:00Z')",
        "SELECT public.rillflow_catalog_state(ARRAY['streams'])",
        "INSERT INTO public.events (global_seq, stream_id, stream_seq, event_id, type, data, created_at) \
         VALUES (99, '00000000-0000-0000-0000-000000000001', 1, '00000000-0000-0000-0000-000000000002', 'x', '1', \
                 '2020-01-01')",
    ] {
        sqlx::raw_sql(ours).execute(&mut *conn).await?;
    }
    let gone: bool =
        sqlx::query_scalar("SELECT public.rillflow_delete_stream($1)").bind(id).fetch_one(&mut *conn).await?;
    assert!(gone);
    conn.close().await?;
    Ok(())
}
