//! Projections by hand: one batch, or all there is to do, and back.

use uuid::Uuid;

use super::SharedCore;
use super::daemon::DaemonConfig;
use super::projector::{Advance, Projector};
use super::rebuild::rebuild;
use crate::model::{Registered, Shard};
use crate::storage::{marks, projections};
use crate::{Error, Result};

/// What a tick of a projection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TickResult {
    /// There was nothing to do.
    Idle,
    /// It is paused.
    Paused,
    /// Another process runs it, or a newer version of it has been here.
    LeasedByOther,
    /// Events were handled.
    Processed {
        /// How many.
        count: u64,
    },
}

impl TickResult {
    /// What two shards together came to: what was done, else what kept one of them from doing anything.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Processed { count }, Self::Processed { count: more }) => Self::Processed { count: count + more },
            (done @ Self::Processed { .. }, _) | (_, done @ Self::Processed { .. }) => done,
            (Self::Idle, other) => other,
            (this, _) => this,
        }
    }
}

/// How far a tick goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// One batch.
    Once,
    /// Everything that is settled by now.
    Idle,
}

/// Takes a projection, runs it, and gives it back.
pub(crate) async fn run(
    core: &SharedCore,
    registered: &Registered,
    config: DaemonConfig,
    until: Until,
) -> Result<TickResult> {
    let texts = &core.texts;
    let mut conn = core.pool.acquire().await?;
    projections::register(&mut conn, texts, registered).await?;
    let Some(status) = projections::status(&mut conn, texts, Some(&registered.name)).await?.pop() else {
        return Err(Error::UnknownProjection { name: registered.name.to_string() });
    };
    drop(conn); // the work below takes its own: a pool of one must do
    if status.status == "paused" {
        return Ok(TickResult::Paused);
    }
    let begun = status.shards.iter().any(|shard| shard.position > 0);
    if status.version < registered.version && begun && registered.documents().is_some() {
        // a new version is built beside the old one, which serves until then
        let count = Box::pin(rebuild(core, registered, config, &mut |_| {})).await?;
        return Ok(TickResult::Processed { count });
    }
    let of = status.shards.len() as i32;
    let mut result = run_shard(core, &registered.shard(Shard { number: 0, of }), config, until).await?;
    for number in 1..of {
        let next = run_shard(core, &registered.shard(Shard { number, of }), config, until).await?;
        result = result.and(next);
    }
    Ok(result)
}

/// Takes a shard, runs it, and gives it back.
async fn run_shard(core: &SharedCore, shard: &Registered, config: DaemonConfig, until: Until) -> Result<TickResult> {
    let (texts, name) = (&core.texts, &*shard.name);
    let mut conn = core.pool.acquire().await?;
    let owner = Uuid::new_v4();
    let lease = projections::take_lease(&mut conn, texts, name, shard.version, owner, config.lease_ttl).await?;
    drop(conn);
    let Some(lease) = lease else { return Ok(TickResult::LeasedByOther) };
    let worked = match Projector::begin(core, shard, lease, config).await {
        Ok(Some(mut projector)) => drive(core, &mut projector, config, until).await,
        Ok(None) => return Ok(TickResult::LeasedByOther),
        Err(error) => Err(error),
    };
    let mut conn = core.pool.acquire().await?;
    // an event's failure was noted with each try
    let noted = matches!(worked, Err(Error::Projection { .. }));
    if let (Err(error), false) = (&worked, noted) {
        projections::note_failure(&mut conn, texts, name, lease.token, &error.to_string()).await?;
    }
    projections::release_lease(&mut conn, texts, name, lease.token).await?;
    worked
}

async fn drive(core: &SharedCore, projector: &mut Projector, config: DaemonConfig, until: Until) -> Result<TickResult> {
    let (mut count, mut tries) = (0, 0);
    look(core).await?;
    loop {
        match projector.advance().await? {
            Advance::Moved(handled) => {
                count += handled;
                tries = 0;
                if until == Until::Once && handled > 0 {
                    break;
                }
            }
            Advance::UpToDate => break,
            Advance::Lost => return Ok(TickResult::LeasedByOther),
            Advance::Again(pause, error) => {
                tries += 1;
                if tries >= config.max_attempts {
                    return Err(error);
                }
                tokio::time::sleep(pause).await;
            }
        }
    }
    Ok(if count > 0 { TickResult::Processed { count } } else { TickResult::Idle })
}

/// Looks how far the log is settled.
pub(super) async fn look(core: &SharedCore) -> Result<i64> {
    let mut conn = core.pool.acquire().await?;
    let mark = marks::safe_mark(&mut conn, &core.texts).await?.mark;
    core.marks.heard(mark);
    Ok(mark)
}
