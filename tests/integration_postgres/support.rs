//! What every test shares: a database of its own, and stores on it.

use rillflow::testing::TestDatabase;
use rillflow::{Event, Store, StoreBuilder, TenancyMode};
pub(crate) use rillflow_tests::waiting::{SOON, blocking_until, until};
use sqlx::PgPool;

use crate::layouts::Layout;

/// What a test returns: any error ends it.
pub(crate) type TestResult = Result<(), Box<dyn std::error::Error>>;

/// A database of the test's own.
pub(crate) type Db = TestDatabase;

/// A database, and a store on it whose schema is synced.
pub(crate) async fn store() -> Result<(Db, Store), Box<dyn std::error::Error>> {
    store_with(|builder| builder).await
}

/// As [`store`], with documents, projections, settings.
pub(crate) async fn store_with(
    configure: impl FnOnce(StoreBuilder) -> StoreBuilder,
) -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let db = TestDatabase::create().await?;
    if std::env::var("RILLFLOW_TEST_TENANCY").is_ok_and(|mode| mode == "column") {
        let builder = configure(Store::builder(common_role(&db).await?));
        let tenant = builder.tenants(TenancyMode::TenantColumn).build().await?.ensure_tenant("acme").await?;
        return Ok((db, tenant.store().clone()));
    }
    let store = configure(Store::builder(db.url())).build().await?;
    Layout::of_this_run().make(&store, db.url()).await?;
    Ok((db, store))
}

/// The URL of a database for a role that row level security holds for, and that owns the database. Roles belong to the
/// whole server: all tests share this one.
pub(crate) async fn common_role(db: &Db) -> Result<String, Box<dyn std::error::Error>> {
    let create = format!(
        "DO $$ BEGIN CREATE ROLE rillflow_test_common NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN \
         NULL; END $$; ALTER DATABASE \"{}\" OWNER TO rillflow_test_common; \
         ALTER SCHEMA public OWNER TO rillflow_test_common",
        db.name()
    );
    let admin = PgPool::connect(db.url()).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&admin).await?;
    admin.close().await;
    let and = if db.url().contains('?') { '&' } else { '?' };
    Ok(format!("{}{and}options[role]=rillflow_test_common", db.url()))
}

/// An event inserted as other software would, on a stream of its own; returns its position.
pub(crate) async fn append_raw(store: &Store, name: &str, version: i32, body: &str) -> sqlx::Result<i64> {
    let insert = "INSERT INTO events (stream_id, stream_seq, event_id, type, type_version, data) \
                  VALUES (gen_random_uuid(), 1, gen_random_uuid(), $1, $2, $3::text::json) RETURNING global_seq";
    sqlx::query_scalar(insert).bind(name).bind(version).bind(body).fetch_one(store.pool()).await
}

/// An event of little meaning.
pub(crate) fn tick(number: i64) -> Event {
    Event::new("tick", &number)
}

/// Returns once some session of this database waits for a lock.
pub(crate) async fn until_somebody_waits(pool: &PgPool) -> rillflow::Result<()> {
    until_true(
        pool,
        "SELECT EXISTS (SELECT FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock')",
    )
    .await
}

/// Returns once the server says yes.
pub(crate) async fn until_true(pool: &PgPool, question: &'static str) -> rillflow::Result<()> {
    until(question, async || Ok(sqlx::query_scalar(question).fetch_one(pool).await?)).await
}

thread_local! {
    static SENT: std::cell::RefCell<Vec<String>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// How many statements this thread sent since the last call: sqlx reports each.
pub(crate) fn statements_sent() -> u64 {
    statements_about("").len() as u64
}

/// Those of them that say this; the others are forgotten too.
pub(crate) fn statements_about(text: &str) -> Vec<String> {
    static LISTENING: std::sync::Once = std::sync::Once::new();
    LISTENING.call_once(|| tracing::subscriber::set_global_default(Statements).expect("nobody else listens"));
    let mut sent = SENT.take();
    sent.retain(|statement| statement.contains(text));
    sent
}

/// Counts the statements that sqlx reports, per thread, so that tests beside each other do not meet.
struct Statements;

impl tracing::Subscriber for Statements {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }
    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = String::new();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            if field.name() == "db.statement" {
                text = format!("{value:?}");
            }
        });
        SENT.with_borrow_mut(|sent| sent.push(text));
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// How many transactions the database has committed, told by the server.
pub(crate) async fn transactions(pool: &PgPool) -> sqlx::Result<i64> {
    sqlx::raw_sql("SELECT pg_stat_force_next_flush()").execute(pool).await.map(drop).or_else(|e| match e {
        sqlx::Error::Database(_) => Ok(()), // before PostgreSQL 15 there is nothing to flush
        other => Err(other),
    })?;
    sqlx::query_scalar("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
        .fetch_one(pool)
        .await
}
