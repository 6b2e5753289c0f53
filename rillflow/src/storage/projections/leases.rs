//! The rows of projections, one per shard, and the leases on them.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::Result;
use crate::model::{Checkpoint, Registered, Shard};
use crate::sql::{self, Texts};
use crate::storage::ask::{query, query_scalar};

/// A lease just taken, and where the last owner stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) token: i64,
    /// The version that built what is stored.
    pub(crate) version: i32,
    pub(crate) checkpoint: Checkpoint,
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
    let checkpoint = Checkpoint { epoch, position, last: last.0.zip(last.1) };
    Ok(Lease { token: row.try_get(at)?, version: row.try_get(at + 1)?, checkpoint })
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
