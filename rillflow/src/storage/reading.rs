//! Reading the log: pages of one stream, backwards too, and of all streams, filtered.

use sqlx::PgConnection;
use uuid::Uuid;

use super::ask::query;
use super::events::envelope;
use super::tags::alternatives;
use crate::Result;
use crate::model::{EventEnvelope, StreamId, TagQuery};
use crate::sql::{self, Texts};

/// Which events to read; `None` lets everything pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) types: Option<Vec<String>>,
    pub(crate) categories: Option<Vec<String>>,
    pub(crate) streams: Option<Vec<Uuid>>,
    pub(crate) tags: Option<TagQuery>,
}

/// Reads a stream backwards, before a place in it.
pub(crate) async fn read_stream_backwards(
    conn: &mut PgConnection,
    texts: &Texts,
    stream_id: StreamId,
    before: i64,
    limit: i64,
) -> Result<Vec<EventEnvelope>> {
    let query = query(texts.statement(sql::READ_STREAM_BACKWARDS)).bind(stream_id.0).bind(before).bind(limit);
    query.fetch_all(conn).await?.iter().map(envelope).collect()
}

/// Reads all streams after a position, never past `mark`, which an earlier statement computed.
pub(crate) async fn read_filtered(
    conn: &mut PgConnection,
    texts: &Texts,
    after: i64,
    mark: i64,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<EventEnvelope>> {
    let text = match filter {
        Filter { tags: Some(_), .. } => sql::READ_ALL_TAGGED,
        Filter { streams: Some(_), .. } => sql::READ_ALL_OF_STREAMS,
        Filter { categories: Some(_), .. } => sql::READ_ALL_OF_CATEGORIES,
        _ => sql::READ_ALL_FILTERED,
    };
    let query = query(texts.statement(text)).bind(after).bind(mark).bind(&filter.types).bind(limit);
    let query = match filter {
        Filter { tags: Some(tags), categories, streams, .. } => {
            tags.check()?;
            query.bind(categories).bind(streams).bind(alternatives(tags))
        }
        Filter { streams: Some(streams), categories, .. } => query.bind(categories).bind(streams),
        Filter { categories: Some(categories), .. } => query.bind(categories),
        _ => query,
    };
    query.fetch_all(conn).await?.iter().map(envelope).collect()
}
