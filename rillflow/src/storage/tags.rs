//! Events by their tags: what decisions are made on.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::ask::query;
use super::failure::text;
use crate::Result;
use crate::model::{StreamId, TagQuery, array_literal_in_order};
use crate::sql::{self, Texts};

/// An event that a query over tags found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'r> {
    pub(crate) position: i64,
    pub(crate) stream_id: StreamId,
    pub(crate) name: &'r str,
    pub(crate) version: i32,
    pub(crate) json: &'r [u8],
}

/// Hands the events of some types that `query` finds to `fold` as they arrive, in their order: all that are committed,
/// above the mark too.
pub(crate) async fn fold(
    conn: &mut PgConnection,
    texts: &Texts,
    about: &TagQuery,
    types: &[&str],
    mut fold: impl FnMut(Found<'_>) -> Result<()>,
) -> Result<()> {
    let query = query(texts.statement(sql::LOAD_TAGGED)).bind(alternatives(about)).bind(types);
    let take = |row: PgRow| {
        fold(Found {
            position: row.try_get(0)?,
            stream_id: StreamId(row.try_get(1)?),
            name: text(&row, 2)?,
            version: row.try_get(3)?,
            json: text(&row, 4)?.as_bytes(),
        })
    };
    query.each(conn, take).await
}

/// As the statements take them.
pub(super) fn alternatives(query: &TagQuery) -> Vec<String> {
    query.alternatives().map(array_literal_in_order).collect()
}
