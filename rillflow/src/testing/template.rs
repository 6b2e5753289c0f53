//! Template databases: filled once per server, copied for each test.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::server;
use crate::dev::url;
use crate::{Error, Result};

/// Begins the name of every template.
pub(super) const PREFIX: &str = "rillflow_template_";

/// How long a database may stay in use by connections that are just closing.
const PATIENCE: Duration = Duration::from_secs(10);

/// `object_in_use`: somebody is connected to the source of a copy or a rename.
const IN_USE: &str = "55006";

/// The name of the template for this key, filled by `prepare` unless somebody did it before.
pub(super) async fn ready(admin_url: &str, key: &str, prepare: impl AsyncFnOnce(&str) -> Result<()>) -> Result<String> {
    let hash = hash(key);
    let name = format!("{PREFIX}{hash:016x}");
    let mut conn = server::connect(admin_url).await?;
    // Freed with the connection too, should the caller be cancelled or killed.
    lock(&mut conn, "SELECT pg_advisory_lock($1)", hash).await?;
    if !exists(&mut conn, &name).await? {
        build(&mut conn, admin_url, &name, prepare).await?;
    }
    mark_as_used(&mut conn, &name).await?;
    lock(&mut conn, "SELECT pg_advisory_unlock($1)", hash).await?;
    conn.close().await.map_err(Error::Database)?;
    Ok(name)
}

/// Under another name until it is complete, so that a template of the right name always is.
async fn build(
    conn: &mut PgConnection,
    admin_url: &str,
    name: &str,
    prepare: impl AsyncFnOnce(&str) -> Result<()>,
) -> Result<()> {
    let half_made = format!("{name}_building");
    let drop = format!("DROP DATABASE IF EXISTS {half_made} WITH (FORCE)");
    execute(conn, drop.clone()).await?;
    execute(conn, format!("CREATE DATABASE {half_made} TEMPLATE template0")).await?;
    if let Err(error) = prepare(&url::with_database(admin_url, &half_made)).await {
        // The next one drops it too, before it starts.
        let _ = execute(conn, drop).await;
        return Err(error);
    }
    close_connections(conn, &half_made).await?;
    while_in_use(conn, &format!("ALTER DATABASE {half_made} RENAME TO {name}")).await
}

/// Lets nobody in any more, and puts those out who are in: a database in use can be neither renamed nor copied.
async fn close_connections(conn: &mut PgConnection, name: &str) -> Result<()> {
    execute(conn, format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await?;
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
        .bind(name)
        .execute(conn)
        .await
        .map(drop)
        .map_err(Error::Database)
}

/// Runs a statement again while the database it reads is in use.
pub(super) async fn while_in_use(conn: &mut PgConnection, statement: &str) -> Result<()> {
    let since = Instant::now();
    loop {
        match sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut *conn).await {
            Err(sqlx::Error::Database(error))
                if error.code().as_deref() == Some(IN_USE) && since.elapsed() < PATIENCE =>
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            result => return result.map(drop).map_err(Error::Database),
        }
    }
}

/// The sweep drops templates that nobody used for long.
async fn mark_as_used(conn: &mut PgConnection, name: &str) -> Result<()> {
    execute(conn, format!("COMMENT ON DATABASE {name} IS '{}'", now())).await
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs())
}

async fn lock(conn: &mut PgConnection, statement: &'static str, hash: u64) -> Result<()> {
    sqlx::query(statement).bind(hash.cast_signed()).execute(conn).await.map(drop).map_err(Error::Database)
}

async fn exists(conn: &mut PgConnection, name: &str) -> Result<bool> {
    let found = sqlx::query("SELECT FROM pg_database WHERE datname = $1").bind(name).fetch_optional(conn).await;
    found.map(|row| row.is_some()).map_err(Error::Database)
}

async fn execute(conn: &mut PgConnection, statement: String) -> Result<()> {
    sqlx::query(AssertSqlSafe(statement)).execute(conn).await.map(drop).map_err(Error::Database)
}

/// FNV-1a: the same in every build, as the standard library's hasher need not be.
fn hash(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
