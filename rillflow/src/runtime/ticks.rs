//! Projections by hand: one batch, or all there is to do, and back.

use uuid::Uuid;

use super::SharedCore;
use super::daemon::DaemonConfig;
use super::projector::{Advance, Projector};
use super::rebuild::rebuild;
use crate::model::Registered;
use crate::storage::letters::storable;
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
    let (texts, name) = (&core.texts, &*registered.name);
    let mut conn = core.pool.acquire().await?;
    projections::register(&mut conn, texts, name, registered.version).await?;
    let owner = Uuid::new_v4();
    let lease = projections::take_lease(&mut conn, texts, name, registered.version, owner, config.lease_ttl).await?;
    let Some(lease) = lease else {
        let status = projections::status(&mut conn, texts, Some(name)).await?;
        let paused = status.first().is_some_and(|it| it.status == "paused");
        return Ok(if paused { TickResult::Paused } else { TickResult::LeasedByOther });
    };
    if lease.version < registered.version && lease.checkpoint.position > 0 && registered.documents().is_some() {
        // a new version is built beside the old one, which serves until then
        projections::release_lease(&mut conn, texts, name, lease.token).await?;
        drop(conn);
        let count = Box::pin(rebuild(core, registered, config, &mut |_| {})).await?;
        return Ok(TickResult::Processed { count });
    }
    drop(conn); // the work below takes its own: a pool of one must do
    let worked = match Projector::begin(core, registered, lease, config).await {
        Ok(Some(mut projector)) => drive(core, &mut projector, config, until).await,
        Ok(None) => return Ok(TickResult::LeasedByOther),
        Err(error) => Err(error),
    };
    let mut conn = core.pool.acquire().await?;
    if let Err(error) = &worked
        && !matches!(error, Error::Projection { .. })
    // that one was noted with each try
    {
        let error = storable(&error.to_string());
        projections::note_failure(&mut conn, texts, name, lease.token, &error).await?;
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
