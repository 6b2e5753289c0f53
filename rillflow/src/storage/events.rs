//! Events: read a stream, read all.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::ask::{query, query_scalar};
use super::failure::text;
use crate::Result;
use crate::model::{EventEnvelope, RawJson, Shard, StreamId};
use crate::sql::{self, Texts};

/// The version of a stream, 0 when there is none.
pub(crate) async fn stream_version(conn: &mut PgConnection, texts: &Texts, stream_id: StreamId) -> Result<i64> {
    let version: Option<i64> =
        query_scalar(texts.statement(sql::STREAM_VERSION)).bind(stream_id.0).fetch_optional(conn).await?;
    Ok(version.unwrap_or(0))
}

/// Reads a stream forwards, after a place in it.
pub(crate) async fn read_stream(
    conn: &mut PgConnection,
    texts: &Texts,
    stream_id: StreamId,
    after: i64,
    limit: i64,
) -> Result<Vec<EventEnvelope>> {
    let query = query(texts.statement(sql::READ_STREAM)).bind(stream_id.0).bind(after).bind(limit);
    query.fetch_all(conn).await?.iter().map(envelope).collect()
}

/// Reads events of `types` after `after`, never past `mark`, which an earlier statement computed.
pub(crate) async fn read_all(
    conn: &mut PgConnection,
    texts: &Texts,
    after: i64,
    mark: i64,
    types: Option<&[&str]>,
    limit: i64,
) -> Result<Vec<EventEnvelope>> {
    let query = match types {
        Some(types) => query(texts.statement(sql::READ_ALL)).bind(after).bind(mark).bind(types).bind(limit),
        None => query(texts.statement(sql::READ_ALL_TYPES)).bind(after).bind(mark).bind(limit),
    };
    query.fetch_all(conn).await?.iter().map(envelope).collect()
}

/// As [`read_all`], the events of one shard.
pub(crate) async fn read_shard(
    conn: &mut PgConnection,
    texts: &Texts,
    after: i64,
    mark: i64,
    types: Option<&[&str]>,
    limit: i64,
    shard: Shard,
) -> Result<Vec<EventEnvelope>> {
    let query = query(texts.statement(sql::READ_SHARD)).bind(after).bind(mark).bind(types).bind(limit);
    query.bind(shard.of).bind(shard.number).fetch_all(conn).await?.iter().map(envelope).collect()
}

/// Reads events of one correlation id, recorded since a time, with the categories of their streams.
pub(crate) async fn read_correlated(
    conn: &mut PgConnection,
    texts: &Texts,
    correlation_id: Uuid,
    mark: i64,
    since: Option<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<(EventEnvelope, String)>> {
    let query = query(texts.statement(sql::READ_CORRELATED));
    let rows = query.bind(correlation_id).bind(mark).bind(since).bind(limit).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((envelope(row)?, row.try_get(11)?))).collect()
}

/// A row of every statement that reads whole events.
pub(super) fn envelope(row: &PgRow) -> Result<EventEnvelope> {
    let headers: Option<&str> = row.try_get(7)?;
    Ok(EventEnvelope {
        global_seq: row.try_get(0)?,
        stream_id: StreamId(row.try_get(1)?),
        stream_seq: row.try_get(2)?,
        event_id: row.try_get(3)?,
        typ: text(row, 4)?.into(),
        type_version: row.try_get(5)?,
        body: RawJson::from_text(text(row, 6)?),
        headers: headers.map(RawJson::from_text),
        causation_id: row.try_get(8)?,
        correlation_id: row.try_get(9)?,
        created_at: row.try_get::<DateTime<Utc>, _>(10)?,
    })
}
