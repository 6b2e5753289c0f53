//! Tenants as schemas: which there are, how much each holds, and how one goes.

use sqlx::{PgConnection, Row};

use super::ask::{query, query_as, query_scalar};
use super::schema::run;
use crate::Result;
use crate::model::Collection;
use crate::sql::{self, Texts};

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
