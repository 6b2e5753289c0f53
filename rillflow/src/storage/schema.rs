//! The schema: what is there, and one step at a time of what is missing.

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqlSafeStr};

use crate::Result;
use crate::model::{Collection, Index};
use crate::sql::{self, Texts, beside};

/// A table, sequence, view or index of the schema.
#[derive(Debug)]
pub(crate) struct Relation {
    pub(crate) name: String,
    /// False for an index whose concurrent build broke off.
    pub(crate) valid: bool,
}

/// What the global order rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderGuards {
    pub(crate) one_at_a_time: bool,
    pub(crate) never_twice: bool,
    pub(crate) others_announced: bool,
}

/// Tries to become the only one who changes the schema, until `conn` closes.
pub(crate) async fn try_lock(conn: &mut PgConnection, texts: &Texts) -> Result<bool> {
    let query = sqlx::query_scalar(texts.statement(sql::LOCK_SCHEMA)).bind(texts.schema().as_str());
    Ok(query.fetch_one(conn).await?)
}

/// What the schema holds.
pub(crate) async fn relations(conn: &mut PgConnection, texts: &Texts) -> Result<Vec<Relation>> {
    let query = sqlx::query(texts.statement(sql::SCHEMA_RELATIONS)).bind(texts.schema().as_str());
    let rows = query.fetch_all(conn).await?;
    rows.iter().map(|row| Ok(Relation { name: row.try_get(0)?, valid: row.try_get(2)? })).collect()
}

/// The migrations applied so far.
pub(crate) async fn applied(conn: &mut PgConnection, texts: &Texts) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar(texts.statement(sql::APPLIED_MIGRATIONS)).fetch_all(conn).await?)
}

/// Makes the schema itself.
pub(crate) async fn create_schema(conn: &mut PgConnection, texts: &Texts) -> Result<()> {
    run(conn, format!("CREATE SCHEMA IF NOT EXISTS {}", texts.schema().quoted())).await
}

/// Applies one migration, wholly or not at all. It records itself.
pub(crate) async fn migrate(conn: &mut PgConnection, texts: &Texts, migration: &str) -> Result<()> {
    let mut tx = conn.begin().await?;
    sqlx::raw_sql(texts.once(migration)).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

/// Makes a collection's table with its indexes, wholly or not at all.
pub(crate) async fn create_collection(
    conn: &mut PgConnection,
    texts: &Texts,
    collection: &'static Collection,
) -> Result<()> {
    let mut tx = conn.begin().await?;
    sqlx::raw_sql(texts.query(collection.create_table)).execute(&mut *tx).await?;
    for index in collection.indexes {
        let create = index_text(&mut tx, texts, texts.query(index.create).as_str().to_owned(), index).await?;
        run(&mut tx, create).await?;
    }
    Ok(tx.commit().await?)
}

/// The statement that makes an index. Its operator class is named with the schema of the extension it comes from,
/// which is made when nobody has done so.
async fn index_text(conn: &mut PgConnection, texts: &Texts, text: String, index: &Index) -> Result<String> {
    let Some(extension) = index.requires else { return Ok(text) };
    let schema = match extension_schema(conn, texts, extension).await? {
        Some(schema) => schema,
        None => {
            run(conn, format!("CREATE EXTENSION IF NOT EXISTS {extension} WITH SCHEMA public")).await?;
            extension_schema(conn, texts, extension).await?.unwrap_or_else(|| "public".to_owned())
        }
    };
    Ok(match text.rsplit_once(' ') {
        Some((before, class)) => format!("{before} {schema}.{class}"),
        None => text,
    })
}

async fn extension_schema(conn: &mut PgConnection, texts: &Texts, extension: &str) -> Result<Option<String>> {
    let query = sqlx::query_scalar(texts.statement(sql::EXTENSION_SCHEMA)).bind(extension);
    Ok(query.fetch_optional(conn).await?)
}

/// Builds an index beside the traffic on its table.
pub(crate) async fn create_index(conn: &mut PgConnection, texts: &Texts, index: &'static Index) -> Result<()> {
    let create = index_text(conn, texts, texts.query(index.create).as_str().to_owned(), index).await?;
    run(conn, create.replacen("INDEX ", "INDEX CONCURRENTLY ", 1)).await
}

/// Builds an index on the table that is built beside a collection's own.
pub(crate) async fn create_index_beside(
    conn: &mut PgConnection,
    texts: &Texts,
    collection: &'static Collection,
    index: &'static Index,
) -> Result<()> {
    let create = texts.once_of_collection(&beside::index(collection, index));
    let create = index_text(conn, texts, create, index).await?;
    run(conn, create).await
}

/// Removes an index that a broken off build left behind.
pub(crate) async fn drop_index(conn: &mut PgConnection, texts: &Texts, name: &str) -> Result<()> {
    run(
        conn,
        format!("DROP INDEX CONCURRENTLY IF EXISTS {}.\"{}\"", texts.schema().quoted(), name.replace('"', "\"\"")),
    )
    .await
}

/// Looks at what the global order rests on.
pub(crate) async fn order_guards(conn: &mut PgConnection, texts: &Texts) -> Result<OrderGuards> {
    let row = sqlx::query(texts.statement(sql::CHECK_SEQUENCE)).fetch_one(conn).await?;
    Ok(OrderGuards { one_at_a_time: row.try_get(0)?, never_twice: row.try_get(1)?, others_announced: row.try_get(2)? })
}

/// Runs text that was put together from validated names.
async fn run(conn: &mut PgConnection, text: String) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(text).into_sql_str()).execute(conn).await?;
    Ok(())
}
