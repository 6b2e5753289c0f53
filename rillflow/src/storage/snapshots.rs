//! Aggregates as stored: the snapshot, and the events behind it.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::ask::{query, query_scalar};
use super::failure::text;
use crate::Result;
use crate::model::{RawJson, StreamId};
use crate::sql::{self, Texts};

/// What a snapshot is found by, beside its stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SnapshotKey {
    pub(crate) aggregate: &'static str,
    pub(crate) fingerprint: i64,
}

/// How far a stream is folded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Latest,
    Version(i64),
    Time(DateTime<Utc>),
}

/// What a fold is given, in order.
#[derive(Debug)]
pub(crate) enum Piece<'r> {
    Snapshot(&'r str),
    Event { name: &'r str, version: i32, json: &'r [u8] },
}

/// Hands the snapshot, when there is one, and the events behind it to `fold` as they arrive. Returns the version reached.
pub(crate) async fn fold(
    conn: &mut PgConnection,
    texts: &Texts,
    stream_id: StreamId,
    key: Option<SnapshotKey>,
    until: Until,
    mut fold: impl FnMut(Piece<'_>) -> Result<()>,
) -> Result<i64> {
    let (text_of, up_to) = match until {
        Until::Latest => (sql::LOAD_AGGREGATE, i64::MAX),
        Until::Version(version) => (sql::LOAD_AGGREGATE, version),
        Until::Time(_) => (sql::LOAD_AGGREGATE_AS_OF, 0),
    };
    let query = query(texts.statement(text_of))
        .bind(stream_id.0)
        .bind(key.map(|key| key.aggregate))
        .bind(key.map(|key| key.fingerprint));
    let query = if let Until::Time(time) = until { query.bind(time) } else { query.bind(up_to) };
    let mut version = 0;
    let take = |row: PgRow| {
        version = row.try_get(0)?;
        match row.try_get::<Option<i32>, _>(2)? {
            None => fold(Piece::Snapshot(text(&row, 3)?)),
            Some(version) => fold(Piece::Event { name: text(&row, 1)?, version, json: text(&row, 3)?.as_bytes() }),
        }
    };
    query.each(conn, take).await?;
    Ok(version)
}

/// Keeps a state, unless a newer one is there or its stream is gone.
pub(crate) async fn put(
    conn: &mut PgConnection,
    texts: &Texts,
    stream_id: StreamId,
    key: SnapshotKey,
    version: i64,
    state: RawJson,
) -> Result<()> {
    query(texts.statement(sql::PUT_SNAPSHOT))
        .bind(stream_id.0)
        .bind(key.aggregate)
        .bind(key.fingerprint)
        .bind(version)
        .bind(state.into_text())
        .execute(conn)
        .await?;
    Ok(())
}

/// Streams of a category with at least `threshold` events since their last snapshot, after the id `after`.
pub(crate) async fn to_compact(
    conn: &mut PgConnection,
    texts: &Texts,
    category: &str,
    key: SnapshotKey,
    threshold: i64,
    after: Option<StreamId>,
    limit: i64,
) -> Result<Vec<StreamId>> {
    let ids: Vec<Uuid> = query_scalar(texts.statement(sql::STREAMS_TO_COMPACT))
        .bind(category)
        .bind(key.aggregate)
        .bind(key.fingerprint)
        .bind(threshold)
        .bind(after.map(|it| it.0))
        .bind(limit)
        .fetch_all(conn)
        .await?;
    Ok(ids.into_iter().map(StreamId).collect())
}

/// How many streams of a category have at least `threshold` events since their last snapshot, and how many at most.
pub(crate) async fn metrics(
    conn: &mut PgConnection,
    texts: &Texts,
    category: &str,
    key: SnapshotKey,
    threshold: i64,
) -> Result<(i64, i64)> {
    let row = query(texts.statement(sql::COMPACTION_METRICS))
        .bind(category)
        .bind(key.aggregate)
        .bind(key.fingerprint)
        .bind(threshold)
        .fetch_one(conn)
        .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
