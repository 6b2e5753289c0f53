//! Typed queries: send the const text, hand the rows' bytes to the query.

use sqlx::{PgConnection, Row as _};

use super::bind::arguments;
use super::failure::not_ours;
use crate::Result;
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

fn bytes(row: &sqlx::postgres::PgRow, column: usize) -> Result<Option<&[u8]>> {
    let value = row.try_get_raw(column)?;
    if sqlx::ValueRef::is_null(&value) {
        return Ok(None);
    }
    value.as_bytes().map(Some).map_err(|e| not_ours("a query's row", e))
}
