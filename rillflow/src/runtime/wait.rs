//! Waiting for a read model: read your own writes.

use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::SharedCore;
use crate::storage::projections::status;
use crate::{Error, Result};

/// How often the row is looked at when the projection runs in another process.
const POLL: Duration = Duration::from_millis(50);

/// Wakes those who wait here when a projection of this process moved.
#[derive(Debug, Default)]
pub(crate) struct Progress(Notify);

impl Progress {
    pub(crate) fn moved(&self) {
        self.0.notify_waiters();
    }
}

/// Waits until the projection's checkpoint is at `position` or past it.
pub(crate) async fn wait_for(core: &SharedCore, name: &str, position: i64, timeout: Duration) -> Result<()> {
    let begun = Instant::now();
    loop {
        // before the look, so that a move between the look and the wait is not missed
        let moved = core.progress.0.notified();
        let mut conn = core.pool.acquire().await?;
        let found = status(&mut conn, &core.texts, name).await?;
        drop(conn);
        // one that is registered here may not have begun anywhere yet
        let known_here = core.projections.iter().any(|it| it.projection.name() == name);
        let reached = match found {
            Some(found) => found.position,
            None if known_here => 0,
            None => return Err(Error::UnknownProjection { name: name.to_owned() }),
        };
        if reached >= position {
            return Ok(());
        }
        let Some(left) = timeout.checked_sub(begun.elapsed()) else {
            return Err(Error::WaitTimeout { name: name.to_owned(), position, reached, waited: timeout });
        };
        // whether it moved or the poll elapsed, the row says how far it is
        let _elapsed = tokio::time::timeout(left.min(POLL), moved).await;
    }
}
