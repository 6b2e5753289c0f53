//! Tenants: which there are, how much each holds, how a connection becomes one's, and how one goes.

use sqlx::{AssertSqlSafe, PgConnection, Row, SqlSafeStr};

use super::ask::{query, query_as, query_scalar};
use super::schema::run;
use crate::model::{Collection, TenantName};
use crate::sql::{self, Texts, tenancy};
use crate::{Error, Result};

/// The schemas that begin with `prefix` and hold a store, each with its oid.
pub(crate) async fn schemas(conn: &mut PgConnection, texts: &Texts, prefix: &str) -> Result<Vec<(String, i64)>> {
    Ok(query_as(texts.statement(sql::TENANT_SCHEMAS)).bind(prefix).fetch_all(conn).await?)
}

/// Whether the schema of these texts holds a store.
pub(crate) async fn is_synced(conn: &mut PgConnection, texts: &Texts) -> Result<bool> {
    let query = query_scalar(texts.statement(sql::IS_SYNCED)).bind(texts.schema().as_str());
    Ok(query.fetch_one(conn).await?)
}

/// The last position drawn, and the bytes of all tables.
pub(crate) async fn size(conn: &mut PgConnection, texts: &Texts) -> Result<(i64, i64)> {
    let query = query(texts.statement(sql::TENANT_SIZE)).bind(texts.schema().as_str()).persistent(false);
    let row = query.fetch_one(conn).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Whether a collection holds any document, deleted ones included.
pub(crate) async fn holds_any(conn: &mut PgConnection, texts: &Texts, it: &'static Collection) -> Result<bool> {
    Ok(query_scalar(texts.of(sql::HOLDS_ANY, it)).persistent(false).fetch_one(conn).await?)
}

/// Drops the schema of these texts with everything in it.
pub(crate) async fn drop_schema(conn: &mut PgConnection, texts: &Texts) -> Result<()> {
    run(conn, &format!("DROP SCHEMA IF EXISTS {} CASCADE", texts.schema().quoted())).await
}

/// The statement that makes a connection this tenant's.
pub(crate) fn entering(texts: &Texts, name: &TenantName) -> String {
    let hex: String = name.as_str().bytes().map(|byte| format!("{byte:02x}")).collect();
    texts.qualify(sql::ENTER_TENANT).replace("/* tenant */", &hex)
}

/// Makes a connection a tenant's until it is made another's; whatever was left on it before, or ends it.
///
/// # Errors
///
/// [`Error::RowSecurityBypassed`] when that would show all tenants.
pub(crate) async fn enter(conn: &mut PgConnection, entering: &str) -> Result<()> {
    Ok(enter_raw(conn, entering).await?)
}

/// As [`enter`], for a pool that opens a connection.
pub(crate) async fn enter_raw(conn: &mut PgConnection, entering: &str) -> sqlx::Result<()> {
    // audited: our own text with a name in hexadecimal digits
    sqlx::raw_sql(AssertSqlSafe(entering.to_owned()).into_sql_str()).execute(conn).await?;
    Ok(())
}

/// Makes the application's own transaction a tenant's, for as long as it lasts.
///
/// # Errors
///
/// [`Error::NotOfTenant`] when it is another's.
pub(crate) async fn join(conn: &mut PgConnection, texts: &Texts, name: &TenantName) -> Result<()> {
    let query = query_as(texts.statement(sql::JOIN_TENANT)).bind(name.as_str());
    let (active, role, set): (bool, String, Option<String>) = query.fetch_one(conn).await?;
    match set {
        _ if !active => Err(Error::RowSecurityBypassed { role }),
        None => Err(Error::NotOfTenant { tenant: name.to_string() }),
        Some(_set) => Ok(()),
    }
}

/// Whether there is a tenant of this name.
pub(crate) async fn is_there(conn: &mut PgConnection, texts: &Texts, name: &TenantName) -> Result<bool> {
    Ok(query_scalar(texts.statement(sql::FIND_TENANT)).bind(name.as_str()).fetch_one(conn).await?)
}

/// Makes a tenant. `false`: one of this name is being dropped.
pub(crate) async fn make(conn: &mut PgConnection, texts: &Texts, name: &TenantName) -> Result<bool> {
    let query = query(texts.statement(sql::MAKE_TENANT)).bind(name.as_str());
    Ok(query.fetch_optional(conn).await?.is_some())
}

/// The tenants that share the schema, each with what tells it from one that had its name before.
pub(crate) async fn sharing(conn: &mut PgConnection, texts: &Texts) -> Result<Vec<(String, i64)>> {
    Ok(query_as(texts.statement(sql::LIST_TENANTS)).fetch_all(conn).await?)
}

/// This role, when row level security does not hold for it.
pub(crate) async fn bypassing_role(conn: &mut PgConnection) -> Result<Option<String>> {
    let (role, bypasses): (String, bool) = query_as(sql::ROLE_BYPASSES).fetch_one(conn).await?;
    Ok(bypasses.then_some(role))
}

/// The tables whose rows are each a tenant's.
pub(crate) async fn tables(conn: &mut PgConnection, texts: &Texts) -> Result<Vec<String>> {
    Ok(query_scalar(texts.statement(sql::TENANT_TABLES)).fetch_all(conn).await?)
}

/// On a tenant's connection: its last position, and the bytes of its rows.
pub(crate) async fn size_of_rows(conn: &mut PgConnection, texts: &Texts, tables: &[String]) -> Result<(i64, i64)> {
    // audited: names out of the catalog, quoted
    let text = texts.made(tenancy::size(texts, tables));
    Ok(query_as(text).persistent(false).fetch_one(conn).await?)
}

/// On a tenant's connection: whether it holds events, messages or documents.
pub(crate) async fn holds_rows(conn: &mut PgConnection, texts: &Texts, tables: &[String]) -> Result<bool> {
    // audited: names out of the catalog, quoted
    let text = texts.made(tenancy::holds_anything(texts, tables));
    Ok(query_scalar(text).persistent(false).fetch_one(conn).await?)
}

/// Lets a tenant take no row any more. `false`: there is none.
pub(crate) async fn close(conn: &mut PgConnection, texts: &Texts, name: &TenantName) -> Result<bool> {
    let query = query(texts.statement(sql::CLOSE_TENANT)).bind(name.as_str());
    Ok(query.fetch_optional(conn).await?.is_some())
}

/// In a transaction: waits for those who write to a table, and keeps others from it until the transaction ends.
///
/// # Errors
///
/// [`Error::Contention`] when that takes longer than so many milliseconds.
pub(crate) async fn wait_for_writers(
    tx: &mut PgConnection,
    texts: &Texts,
    table: &str,
    milliseconds: u64,
) -> Result<()> {
    run(tx, &format!("SET LOCAL lock_timeout = {milliseconds}; {}", tenancy::wait_for_writers(texts, table))).await
}

/// In a transaction on a tenant's connection: removes everything of a tenant that is [closed](close).
pub(crate) async fn remove(tx: &mut PgConnection, texts: &Texts, name: &TenantName, tables: &[String]) -> Result<()> {
    query(sql::BEGIN_REMOVAL).bind(name.as_str()).execute(&mut *tx).await?;
    query(texts.statement(sql::BURY_STREAMS)).execute(&mut *tx).await?;
    run(tx, &tenancy::remove_rows(texts, tables)).await?;
    query(texts.statement(sql::REMOVE_TENANT)).bind(name.as_str()).execute(tx).await?;
    Ok(())
}
