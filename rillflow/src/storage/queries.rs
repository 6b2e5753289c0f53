//! Typed queries: send the const text, hand the rows' bytes to the query.

use sqlx::{AssertSqlSafe, PgConnection, Row as _, SqlSafeStr};

use super::bind::arguments;
use super::failure::not_ours;
use crate::Result;
use crate::model::RawJson;
use crate::model::query::{Query, Row};
use crate::sql::Texts;

/// Runs a query.
pub(crate) async fn run<Out>(conn: &mut PgConnection, texts: &Texts, query: &dyn Query<Out>) -> Result<Out> {
    query.check()?;
    let rows = sqlx::query_with(texts.query(query.sql()), arguments(query.binds())?).fetch_all(conn).await?;
    let mut cells = Vec::with_capacity(rows.len());
    for row in &rows {
        cells.push((0..row.len()).map(|column| bytes(row, column)).collect::<Result<Vec<_>>>()?);
    }
    let rows: Vec<Row<'_>> = cells.iter().map(|cells| Row::new(cells)).collect();
    query.decode(&rows)
}

/// Runs a query for many rows and strings their JSON together, unparsed.
pub(crate) async fn run_json<T>(conn: &mut PgConnection, texts: &Texts, query: &dyn Query<Vec<T>>) -> Result<RawJson> {
    query.check()?;
    let rows = sqlx::query_with(texts.query(query.sql()), arguments(query.binds())?).fetch_all(conn).await?;
    let mut json = String::from("[");
    for (i, row) in rows.iter().enumerate() {
        json.push_str(if i > 0 { "," } else { "" });
        json.push_str(Row::new(&[bytes(row, 0)?]).json_text(0)?);
    }
    json.push(']');
    Ok(RawJson::from_text(json))
}

/// How PostgreSQL would run a query with these arguments.
pub(crate) async fn explain<Out>(conn: &mut PgConnection, texts: &Texts, query: &dyn Query<Out>) -> Result<String> {
    query.check()?;
    let text = format!("EXPLAIN {}", texts.query(query.sql()).as_str());
    // audited: the text is the query's own, which runs as it stands
    let explain = sqlx::query_with(AssertSqlSafe(text).into_sql_str(), arguments(query.binds())?).persistent(false);
    let lines = explain.fetch_all(conn).await?;
    let lines: Vec<String> = lines.iter().map(|line| line.try_get(0)).collect::<sqlx::Result<_>>()?;
    Ok(lines.join("\n"))
}

fn bytes(row: &sqlx::postgres::PgRow, column: usize) -> Result<Option<&[u8]>> {
    let value = row.try_get_raw(column)?;
    if sqlx::ValueRef::is_null(&value) {
        return Ok(None);
    }
    value.as_bytes().map(Some).map_err(|e| not_ours("a query's row", e))
}
