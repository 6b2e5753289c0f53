//! Projections: the checkpoint, and a batch's documents together with it.

mod leases;
mod status;

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

pub(crate) use self::leases::*;
pub use self::status::{ProjectionMetrics, ProjectionStatus, ShardStatus};
pub(crate) use self::status::{metrics, rebuilding, status};
use super::ask::{query, query_with};
use super::bind::arguments;
use super::failure::of_collection;
use super::letters::storable;
use crate::Result;
use crate::model::{self, Changes, Collection, SqlType, SqlValue};
use crate::sql::{self, Texts};

/// What a write must find for it to happen: the lease still held, the checkpoint where the batch began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fence<'f> {
    pub(crate) name: &'f str,
    pub(crate) token: i64,
    pub(crate) from: i64,
    /// How long the lease goes on from here.
    pub(crate) ttl: Duration,
}

/// A checkpoint to write, and what goes with it.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) position: i64,
    /// The last event processed; `None` keeps the one stored.
    pub(crate) last: Option<(i64, Uuid)>,
    /// How many events were handled.
    pub(crate) handled: i64,
    /// The letters of the batch, as a JSON array.
    pub(crate) letters: Option<String>,
}

/// Takes a checkpoint over into another epoch. `false`: the lease is lost.
pub(crate) async fn enter_epoch(
    conn: &mut PgConnection,
    texts: &Texts,
    name: &str,
    token: i64,
    checkpoint: &model::Checkpoint,
) -> Result<bool> {
    let query = query(texts.statement(sql::ENTER_EPOCH)).bind(name).bind(token);
    let query = query.bind(checkpoint.epoch).bind(checkpoint.position);
    Ok(query.fetch_optional(conn).await?.is_some())
}

/// Has the server end the transaction when nothing is heard of its client for so long.
pub(crate) async fn guard_batch(conn: &mut PgConnection, texts: &Texts, silence: Duration) -> Result<()> {
    let silence = silence.as_millis().max(1).to_string();
    query(texts.statement(sql::GUARD_BATCH)).bind(silence).execute(conn).await?;
    Ok(())
}

/// Moves the checkpoint. `false`: the fence does not hold, and nothing was written.
pub(crate) async fn save_checkpoint(
    conn: &mut PgConnection,
    texts: &Texts,
    fence: Fence<'_>,
    checkpoint: Checkpoint,
) -> Result<bool> {
    let arguments = arguments(checkpoint_values(fence, checkpoint))?;
    let query = query_with(texts.statement(sql::SAVE_CHECKPOINT), arguments);
    Ok(query.fetch_optional(conn).await?.is_some())
}

/// Writes a batch's documents and its checkpoint in one statement. `false`: the fence does not hold, and nothing was
/// written.
pub(crate) async fn write_batch(
    conn: &mut PgConnection,
    texts: &Texts,
    fence: Fence<'_>,
    checkpoint: Checkpoint,
    collection: &'static Collection,
    changes: Changes,
) -> Result<bool> {
    let mut values = checkpoint_values(fence, checkpoint);
    values.extend([changes.ids, SqlValue::Texts(changes.docs), changes.removed]);
    let query = query_with(texts.of(sql::WRITE_BATCH, collection), arguments(values)?);
    Ok(query.fetch_optional(conn).await.map_err(|e| of_collection(e, collection))?.is_some())
}

fn checkpoint_values(fence: Fence<'_>, checkpoint: Checkpoint) -> Vec<SqlValue> {
    let (last_position, last_id) = checkpoint.last.unzip();
    vec![
        SqlValue::Text(fence.name.to_owned()),
        SqlValue::Int(fence.token),
        SqlValue::Int(fence.from),
        SqlValue::Int(checkpoint.position),
        last_position.map_or(SqlValue::Null(SqlType::Int), SqlValue::Int),
        last_id.map_or(SqlValue::Null(SqlType::Uuid), SqlValue::Uuid),
        SqlValue::Float(fence.ttl.as_secs_f64()),
        SqlValue::Int(checkpoint.handled),
        checkpoint.letters.map_or(SqlValue::Null(SqlType::Json), SqlValue::Json),
    ]
}

/// Begins the projection anew. `false`: the lease is lost.
pub(crate) async fn restart(
    conn: &mut PgConnection,
    texts: &Texts,
    name: &str,
    token: i64,
    version: i32,
) -> Result<bool> {
    let query = query(texts.statement(sql::RESTART_PROJECTION)).bind(name).bind(token).bind(version);
    Ok(query.fetch_optional(conn).await?.is_some())
}

/// Removes every document of a collection that a projection owns.
pub(crate) async fn empty(conn: &mut PgConnection, texts: &Texts, collection: &'static Collection) -> Result<()> {
    query(texts.of(sql::EMPTY_COLLECTION, collection)).execute(conn).await?;
    Ok(())
}

/// Keeps what stopped the projection where people look for it.
pub(crate) async fn note_failure(
    conn: &mut PgConnection,
    texts: &Texts,
    name: &str,
    token: i64,
    error: &str,
) -> Result<()> {
    query(texts.statement(sql::NOTE_FAILURE)).bind(name).bind(token).bind(storable(error)).execute(conn).await?;
    Ok(())
}

/// Pauses a projection, or lets it run. `false`: it has no row.
pub(crate) async fn set_running(conn: &mut PgConnection, texts: &Texts, name: &str, running: bool) -> Result<bool> {
    let text = if running { sql::RESUME_PROJECTION } else { sql::PAUSE_PROJECTION };
    Ok(query(texts.statement(text)).bind(name).fetch_optional(conn).await?.is_some())
}

/// Sets a checkpoint by hand. `false`: there is no row.
pub(crate) async fn reset_checkpoint(
    conn: &mut PgConnection,
    texts: &Texts,
    name: &str,
    position: i64,
) -> Result<bool> {
    let query = query(texts.statement(sql::RESET_CHECKPOINT)).bind(name).bind(position);
    Ok(query.fetch_optional(conn).await?.is_some())
}
