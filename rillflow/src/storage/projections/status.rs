//! How far projections are, and what they have still to do.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::Result;
use crate::sql::{self, Texts};
use crate::storage::ask::{query, query_as};

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
