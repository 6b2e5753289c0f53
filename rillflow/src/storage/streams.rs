//! Streams as a whole: their state, archive, deletion, aliases.

use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::ask::{query, query_scalar};
use crate::model::{Expected, StreamId, StreamState};
use crate::sql::{self, Texts};
use crate::{Error, Result};

/// What is known of a stream; a tombstone too.
pub(crate) async fn state(conn: &mut PgConnection, texts: &Texts, stream_id: StreamId) -> Result<Option<StreamState>> {
    let query = query(texts.statement(sql::STREAM_STATE)).bind(stream_id.0);
    let Some(row) = query.fetch_optional(conn).await? else { return Ok(None) };
    Ok(Some(StreamState {
        stream_id,
        version: row.try_get(0)?,
        category: row.try_get(1)?,
        created_at: row.try_get(2)?,
        archived_at: row.try_get(3)?,
        deleted_at: row.try_get(4)?,
    }))
}

/// Why the append statement wrote nothing.
pub(crate) async fn refusal(
    conn: &mut PgConnection,
    texts: &Texts,
    stream_id: StreamId,
    expected: Expected,
) -> Result<Error> {
    let state = state(conn, texts, stream_id).await?;
    Ok(match state {
        Some(StreamState { deleted_at: Some(_), .. }) => Error::StreamDeleted { stream_id },
        Some(StreamState { archived_at: Some(_), .. }) => Error::StreamArchived { stream_id },
        other => Error::VersionConflict { stream_id, expected, actual: other.map_or(0, |it| it.version) },
    })
}

/// Whether there is a stream, and not its tombstone.
pub(crate) async fn exists(conn: &mut PgConnection, texts: &Texts, stream_id: StreamId) -> Result<bool> {
    Ok(query_scalar(texts.statement(sql::STREAM_EXISTS)).bind(stream_id.0).fetch_one(conn).await?)
}

/// Closes a stream to appends, after those that are open.
pub(crate) async fn archive(conn: &mut PgConnection, texts: &Texts, stream_id: StreamId) -> Result<()> {
    change(conn, texts, sql::ARCHIVE_STREAM, stream_id).await
}

/// Opens an archived stream to appends.
pub(crate) async fn restore(conn: &mut PgConnection, texts: &Texts, stream_id: StreamId) -> Result<()> {
    change(conn, texts, sql::RESTORE_STREAM, stream_id).await
}

async fn change(conn: &mut PgConnection, texts: &Texts, text: &'static str, stream_id: StreamId) -> Result<()> {
    match query_scalar(texts.statement(text)).bind(stream_id.0).fetch_optional(conn).await? {
        Some(false) => Ok(()),
        Some(true) => Err(Error::StreamDeleted { stream_id }),
        None => Err(Error::StreamNotFound { stream_id }),
    }
}

/// Deletes a stream and leaves its tombstone.
pub(crate) async fn delete(conn: &mut PgConnection, texts: &Texts, stream_id: StreamId) -> Result<()> {
    let query = query_scalar(texts.statement(sql::DELETE_STREAM)).bind(stream_id.0);
    if query.fetch_one(conn).await? { Ok(()) } else { Err(Error::StreamNotFound { stream_id }) }
}

/// The stream that an alias stands for: `proposed` when nobody was first.
pub(crate) async fn resolve_alias(conn: &mut PgConnection, texts: &Texts, alias: &str, proposed: Uuid) -> Result<Uuid> {
    let query = query_scalar(texts.statement(sql::RESOLVE_ALIAS)).bind(alias).bind(proposed);
    Ok(query.fetch_one(conn).await?)
}

/// The stream that an alias stands for, when somebody asked before.
pub(crate) async fn find_alias(conn: &mut PgConnection, texts: &Texts, alias: &str) -> Result<Option<Uuid>> {
    Ok(query_scalar(texts.statement(sql::FIND_ALIAS)).bind(alias).fetch_optional(conn).await?)
}
