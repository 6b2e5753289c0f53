//! Dynamic queries: send the text that was put together, hand the rows' bytes on.

use sqlx::{AssertSqlSafe, PgConnection, Row, SqlSafeStr};

use super::bind::arguments;
use super::documents::jsonb;
use crate::Result;
use crate::model::DocumentQueryContext;
use crate::sql::{Texts, dynamic};

/// Runs a query whose rows are JSON.
pub(crate) async fn fetch<T>(
    conn: &mut PgConnection,
    texts: &Texts,
    query: &DocumentQueryContext,
    read: impl Fn(&[u8]) -> Result<T>,
) -> Result<Vec<T>> {
    let (text, values) = dynamic::render(query)?;
    let rows = sqlx::query_with(texts.once(&text), arguments(values)?).fetch_all(conn).await?;
    rows.iter().map(|row| read(jsonb(row, 0)?)).collect()
}

/// Runs a query for a number of rows.
pub(crate) async fn count(conn: &mut PgConnection, texts: &Texts, query: &DocumentQueryContext) -> Result<i64> {
    let (text, values) = dynamic::render(query)?;
    Ok(sqlx::query_scalar_with(texts.once(&text), arguments(values)?).fetch_one(conn).await?)
}

/// How PostgreSQL would run a query, line by line.
pub(crate) async fn explain(
    conn: &mut PgConnection,
    texts: &Texts,
    query: &DocumentQueryContext,
) -> Result<Vec<String>> {
    let (text, values) = dynamic::render(query)?;
    let explain = format!("EXPLAIN {}", texts.once(&text).as_str());
    let query = sqlx::query_with(AssertSqlSafe(explain).into_sql_str(), arguments(values)?).persistent(false);
    query.fetch_all(conn).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
