//! Projections: the lease, the checkpoint, and a batch's documents together with it.

use sqlx::{PgConnection, Row};
use std::time::Duration;
use uuid::Uuid;

use super::bind::arguments;
use super::failure::of_collection;
use crate::Result;
use crate::model::{Changes, Collection, SqlType, SqlValue};
use crate::sql::{self, Texts};

/// A lease just taken, and where the last owner stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) token: i64,
    /// The version that built what is stored.
    pub(crate) version: i32,
    pub(crate) position: i64,
    /// The last event processed, by position and id.
    pub(crate) last: Option<(i64, Uuid)>,
}

/// A checkpoint to write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) position: i64,
    /// The last event processed; `None` keeps the one stored.
    pub(crate) last: Option<(i64, Uuid)>,
}

/// How far a projection is, and who runs it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProjectionStatus {
    /// Its name.
    pub name: String,
    /// The version that built what is stored.
    pub version: i32,
    /// `running` or `paused`.
    pub status: String,
    /// Every event up to here is in the read model.
    pub position: i64,
    /// Who owns it, while the lease lasts.
    pub owner: Option<Uuid>,
    /// What stops it, until it goes on.
    pub error: Option<String>,
}

/// Makes the projection's row, or finds it.
pub(crate) async fn register(conn: &mut PgConnection, texts: &Texts, name: &str, version: i32) -> Result<()> {
    sqlx::query(texts.statement(sql::REGISTER_PROJECTION)).bind(name).bind(version).execute(conn).await?;
    Ok(())
}

/// Takes the lease when nobody holds it, by the server's clock.
pub(crate) async fn take_lease(
    conn: &mut PgConnection,
    texts: &Texts,
    name: &str,
    version: i32,
    owner: Uuid,
    ttl: Duration,
) -> Result<Option<Lease>> {
    let query =
        sqlx::query(texts.statement(sql::TAKE_LEASE)).bind(name).bind(owner).bind(ttl.as_secs_f64()).bind(version);
    let Some(row) = query.fetch_optional(conn).await? else { return Ok(None) };
    let last: (Option<i64>, Option<Uuid>) = (row.try_get(3)?, row.try_get(4)?);
    Ok(Some(Lease {
        token: row.try_get(0)?,
        version: row.try_get(1)?,
        position: row.try_get(2)?,
        last: last.0.zip(last.1),
    }))
}

/// Extends the lease. `false`: it is lost.
pub(crate) async fn keep_lease(
    conn: &mut PgConnection,
    texts: &Texts,
    name: &str,
    token: i64,
    ttl: Duration,
) -> Result<bool> {
    let query = sqlx::query(texts.statement(sql::KEEP_LEASE)).bind(name).bind(token).bind(ttl.as_secs_f64());
    Ok(query.fetch_optional(conn).await?.is_some())
}

/// Gives the lease back.
pub(crate) async fn release_lease(conn: &mut PgConnection, texts: &Texts, name: &str, token: i64) -> Result<()> {
    sqlx::query(texts.statement(sql::RELEASE_LEASE)).bind(name).bind(token).execute(conn).await?;
    Ok(())
}

/// Moves the checkpoint. `false`: the lease is lost, and nothing was written.
pub(crate) async fn save_checkpoint(
    conn: &mut PgConnection,
    texts: &Texts,
    name: &str,
    token: i64,
    checkpoint: Checkpoint,
    ttl: Duration,
) -> Result<bool> {
    let query = sqlx::query(texts.statement(sql::SAVE_CHECKPOINT))
        .bind(name)
        .bind(token)
        .bind(checkpoint.position)
        .bind(checkpoint.last.map(|last| last.0))
        .bind(checkpoint.last.map(|last| last.1))
        .bind(ttl.as_secs_f64());
    Ok(query.fetch_optional(conn).await?.is_some())
}

/// Writes a batch's documents and its checkpoint in one statement. `false`: the lease is lost, and nothing was written.
#[expect(clippy::too_many_arguments, reason = "one question, and all of these are its parameters")]
pub(crate) async fn write_batch(
    conn: &mut PgConnection,
    texts: &Texts,
    name: &str,
    token: i64,
    checkpoint: Checkpoint,
    ttl: Duration,
    collection: &'static Collection,
    changes: Changes,
) -> Result<bool> {
    let (last_position, last_id) = checkpoint.last.unzip();
    let values = vec![
        SqlValue::Text(name.to_owned()),
        SqlValue::Int(token),
        SqlValue::Int(checkpoint.position),
        last_position.map_or(SqlValue::Null(SqlType::Int), SqlValue::Int),
        last_id.map_or(SqlValue::Null(SqlType::Uuid), SqlValue::Uuid),
        SqlValue::Float(ttl.as_secs_f64()),
        changes.ids,
        SqlValue::Texts(changes.docs),
    ];
    let query = sqlx::query_with(texts.of(sql::WRITE_BATCH, collection), arguments(values)?);
    let row = query.fetch_optional(conn).await.map_err(|e| of_collection(e, collection))?;
    Ok(row.is_some())
}

/// Begins the projection anew for a new version. `false`: the lease is lost. In the transaction that empties the collection.
pub(crate) async fn restart(
    conn: &mut PgConnection,
    texts: &Texts,
    name: &str,
    token: i64,
    version: i32,
    collection: &'static Collection,
) -> Result<bool> {
    let query = sqlx::query(texts.statement(sql::RESTART_PROJECTION)).bind(name).bind(token).bind(version);
    if query.fetch_optional(&mut *conn).await?.is_none() {
        return Ok(false);
    }
    sqlx::query(texts.of(sql::EMPTY_COLLECTION, collection)).execute(conn).await?;
    Ok(true)
}

/// Keeps what stopped the projection where people look for it.
pub(crate) async fn note_failure(
    conn: &mut PgConnection,
    texts: &Texts,
    name: &str,
    token: i64,
    error: &str,
) -> Result<()> {
    sqlx::query(texts.statement(sql::NOTE_FAILURE)).bind(name).bind(token).bind(error).execute(conn).await?;
    Ok(())
}

/// How far a projection is; `None` when it has no row.
pub(crate) async fn status(conn: &mut PgConnection, texts: &Texts, name: &str) -> Result<Option<ProjectionStatus>> {
    let query = sqlx::query(texts.statement(sql::PROJECTION_STATUS)).bind(name);
    let Some(row) = query.fetch_optional(conn).await? else { return Ok(None) };
    let owned: Option<bool> = row.try_get(5)?;
    Ok(Some(ProjectionStatus {
        name: row.try_get(0)?,
        version: row.try_get(1)?,
        status: row.try_get(2)?,
        position: row.try_get(3)?,
        owner: if owned == Some(true) { row.try_get(4)? } else { None },
        error: row.try_get(6)?,
    }))
}
