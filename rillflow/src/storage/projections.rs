//! Projections: the lease, the checkpoint, and a batch's documents together with it.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::ask::{query, query_as, query_scalar, query_with};
use super::bind::arguments;
use super::failure::of_collection;
use crate::Result;
use crate::model::{self, Changes, Collection, Registered, Shard, SqlType, SqlValue};
use crate::sql::{self, Texts};

/// A lease just taken, and where the last owner stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) token: i64,
    /// The version that built what is stored.
    pub(crate) version: i32,
    pub(crate) checkpoint: model::Checkpoint,
}

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

/// How far a projection is, and who runs it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProjectionStatus {
    /// Its name.
    pub name: String,
    /// The version that built what is stored.
    pub version: i32,
    /// `running`, `paused` or `inline`.
    pub status: String,
    /// Every event up to here is in the read model: where the shard is that is furthest behind.
    pub position: i64,
    /// Who owns it, while the lease lasts; of several shards, the first that has an owner.
    pub owner: Option<Uuid>,
    /// What stops it, until it goes on; of several shards, the first that is stopped.
    pub error: Option<String>,
    /// How far a rebuild beside it is, and of which version, while there is one.
    pub rebuilding: Option<(i64, i32)>,
    /// How many events are set aside, as it failed on them or as they wait behind one that it failed on.
    pub dead_letters: i64,
    /// Its shards in the order of their numbers; one when it is not split, none when it is inline.
    pub shards: Vec<ShardStatus>,
}

impl ProjectionStatus {
    /// Of an inline projection, where the log is settled.
    pub(crate) fn inline(
        name: &str,
        version: i32,
        position: i64,
        rebuilding: Option<(i64, i32)>,
        error: Option<String>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            version,
            status: "inline".to_owned(),
            position,
            owner: None,
            error,
            rebuilding,
            dead_letters: 0,
            shards: Vec::new(),
        }
    }
}

/// How far a shard is, and who runs it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShardStatus {
    /// Every event of its streams up to here is in the read model.
    pub position: i64,
    /// Who owns it, while the lease lasts.
    pub owner: Option<Uuid>,
    /// What stops it, until it goes on.
    pub error: Option<String>,
}

/// What a projection has done, and what it has still to do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProjectionMetrics {
    /// Its name.
    pub name: String,
    /// Whether it is applied with each append: then it is never behind, and nobody counts what it does or how fast. A
    /// failure of it is one of the append, and an event that it fails on is in no log.
    pub inline: bool,
    /// Every event up to here is in the read model.
    pub position: i64,
    /// How many events it has still to look at. Up to 10,000 they are counted; beyond, it is the difference of positions,
    /// which have gaps.
    pub lag_events: i64,
    /// How many seconds ago the first of them was appended; 0 when there is none.
    pub lag_seconds: f64,
    /// How many events it handled since it began.
    pub processed: i64,
    /// How many events per second it handled in its last batch.
    pub events_per_second: f64,
    /// How often it failed since it began.
    pub failures: i64,
    /// How many events are set aside.
    pub dead_letters: i64,
}

impl ProjectionMetrics {
    /// Of an inline projection.
    pub(crate) fn inline(it: ProjectionStatus) -> Self {
        Self {
            name: it.name,
            inline: true,
            position: it.position,
            lag_events: 0,
            lag_seconds: 0.0,
            processed: 0,
            events_per_second: 0.0,
            failures: 0,
            dead_letters: 0,
        }
    }
}

/// What a beat of the leases found.
#[derive(Debug, Default)]
pub(crate) struct Tended {
    /// Leases taken in this beat, of shards of projections.
    pub(crate) taken: Vec<(String, Shard, Lease)>,
    /// Those that were held before, by name and token, and whether one is for a process that holds fewer.
    pub(crate) held: Vec<(String, i64, bool)>,
    /// Projections whose stored read model is of an older version.
    pub(crate) stale: Vec<String>,
}

/// One projection that a process would run.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'w> {
    pub(crate) name: &'w str,
    pub(crate) version: i32,
    /// Whether it begins anew under a new version, for lack of a model to build beside the old one.
    pub(crate) restarts: bool,
}

/// Makes the projection's rows, one per shard, or finds them.
pub(crate) async fn register(conn: &mut PgConnection, texts: &Texts, registered: &Registered) -> Result<()> {
    let query = query(texts.statement(sql::REGISTER_PROJECTION));
    query.bind(&*registered.name).bind(registered.version).bind(registered.first_shards()).execute(conn).await?;
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
    let query = query(texts.statement(sql::TAKE_LEASE)).bind(name).bind(owner).bind(ttl.as_secs_f64()).bind(version);
    query.fetch_optional(conn).await?.map(|row| lease(&row, 0)).transpose()
}

/// Takes all shards of a projection from whoever holds them; they come in the order of their numbers.
pub(crate) async fn seize_leases(
    conn: &mut PgConnection,
    texts: &Texts,
    name: &str,
    owner: Uuid,
    ttl: Duration,
) -> Result<Vec<(Shard, Lease)>> {
    let query = query(texts.statement(sql::SEIZE_LEASES)).bind(name).bind(owner).bind(ttl.as_secs_f64());
    let rows = query.fetch_all(conn).await?;
    let mut seized: Vec<_> = rows.iter().map(|row| Ok((shard(row, 6)?, lease(row, 0)?))).collect::<Result<_>>()?;
    seized.sort_by_key(|(shard, _)| shard.number);
    Ok(seized)
}

/// Splits a projection whose shards are all held by `owner` and at one position. `false`: they are not.
pub(crate) async fn split(
    conn: &mut PgConnection,
    texts: &Texts,
    name: &str,
    owner: Option<Uuid>,
    shards: i32,
) -> Result<bool> {
    let split = query_scalar(texts.statement(sql::SPLIT_PROJECTION)).bind(name).bind(owner).bind(shards);
    Ok(split.fetch_one(conn).await?)
}

/// The two columns of a shard, of which the first is at `at`.
fn shard(row: &PgRow, at: usize) -> Result<Shard> {
    Ok(Shard { number: row.try_get(at)?, of: row.try_get(at + 1)? })
}

/// The six columns of a lease, of which the first is at `at`.
fn lease(row: &PgRow, at: usize) -> Result<Lease> {
    let last: (Option<i64>, Option<Uuid>) = (row.try_get(at + 4)?, row.try_get(at + 5)?);
    let (epoch, position) = (row.try_get(at + 2)?, row.try_get(at + 3)?);
    let checkpoint = model::Checkpoint { epoch, position, last: last.0.zip(last.1) };
    Ok(Lease { token: row.try_get(at)?, version: row.try_get(at + 1)?, checkpoint })
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

/// Extends the leases of a process and takes those that fall to it, but for shards that rest, in one statement.
pub(crate) async fn tend_leases(
    conn: &mut PgConnection,
    texts: &Texts,
    owner: Uuid,
    ttl: Duration,
    wanted: &[Wanted<'_>],
    resting: &[&str],
) -> Result<Tended> {
    let query = query(texts.statement(sql::TEND_LEASES))
        .bind(owner)
        .bind(ttl.as_secs_f64())
        .bind(wanted.iter().map(|it| it.name).collect::<Vec<_>>())
        .bind(wanted.iter().map(|it| it.version).collect::<Vec<_>>())
        .bind(wanted.iter().map(|it| it.restarts).collect::<Vec<_>>())
        .bind(resting);
    let mut tended = Tended::default();
    for row in query.fetch_all(conn).await? {
        let (kind, name, token): (&str, String, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        match kind {
            "taken" => tended.taken.push((row.try_get(8)?, shard(&row, 9)?, lease(&row, 2)?)),
            "held" | "spare" => {
                let spare = kind == "spare";
                tended.held.push((name, token, spare));
            }
            _ => tended.stale.push(name),
        }
    }
    Ok(tended)
}

/// Gives back every lease of a process.
pub(crate) async fn leave_work(conn: &mut PgConnection, texts: &Texts, owner: Uuid) -> Result<()> {
    query(texts.statement(sql::LEAVE_WORK)).bind(owner).execute(conn).await?;
    Ok(())
}

/// Gives the lease back.
pub(crate) async fn release_lease(conn: &mut PgConnection, texts: &Texts, name: &str, token: i64) -> Result<()> {
    query(texts.statement(sql::RELEASE_LEASE)).bind(name).bind(token).execute(conn).await?;
    Ok(())
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
    query(texts.statement(sql::NOTE_FAILURE)).bind(name).bind(token).bind(error).execute(conn).await?;
    Ok(())
}

/// How far projections are: one by name, or all.
pub(crate) async fn status(
    conn: &mut PgConnection,
    texts: &Texts,
    name: Option<&str>,
) -> Result<Vec<ProjectionStatus>> {
    let rows = query(texts.statement(sql::PROJECTION_STATUS)).bind(name).fetch_all(conn).await?;
    let read = |row: &PgRow| {
        let build: (Option<i64>, Option<i32>) = (row.try_get(6)?, row.try_get(7)?);
        Ok(ProjectionStatus {
            name: row.try_get(0)?,
            version: row.try_get(1)?,
            status: row.try_get(2)?,
            position: row.try_get(3)?,
            owner: row.try_get(4)?,
            error: row.try_get(5)?,
            rebuilding: build.0.zip(build.1),
            dead_letters: row.try_get(8)?,
            shards: shards(row)?,
        })
    };
    rows.iter().map(read).collect()
}

/// How far the rebuild of a projection is, and of which version, while there is one.
pub(crate) async fn rebuilding(conn: &mut PgConnection, texts: &Texts, name: &str) -> Result<Option<(i64, i32)>> {
    let query = query_as(texts.statement(sql::REBUILD_STATUS)).bind(name);
    Ok(query.fetch_optional(conn).await?)
}

/// The three arrays of a projection's shards.
fn shards(row: &PgRow) -> Result<Vec<ShardStatus>> {
    let positions: Vec<i64> = row.try_get(9)?;
    let (owners, errors): (Vec<Option<Uuid>>, Vec<Option<String>>) = (row.try_get(10)?, row.try_get(11)?);
    let each = positions.into_iter().zip(owners).zip(errors);
    Ok(each.map(|((position, owner), error)| ShardStatus { position, owner, error }).collect())
}

/// What a projection has done and has still to do; `None` when it has no row.
pub(crate) async fn metrics(conn: &mut PgConnection, texts: &Texts, name: &str) -> Result<Option<ProjectionMetrics>> {
    let query = query(texts.statement(sql::PROJECTION_METRICS)).bind(name);
    let Some(row) = query.fetch_optional(conn).await? else { return Ok(None) };
    let (counted, by_position): (i64, i64) = (row.try_get(5)?, row.try_get(6)?);
    Ok(Some(ProjectionMetrics {
        name: row.try_get(0)?,
        inline: false,
        position: row.try_get(1)?,
        processed: row.try_get(2)?,
        failures: row.try_get(3)?,
        events_per_second: row.try_get(4)?,
        lag_events: if counted > 10_000 { by_position.max(counted) } else { counted },
        lag_seconds: row.try_get::<Option<f64>, _>(7)?.unwrap_or(0.0),
        dead_letters: row.try_get(8)?,
    }))
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
