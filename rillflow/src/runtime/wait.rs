//! Waiting for a read model: read your own writes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::sync::watch;

use super::{Core, SharedCore};
use crate::model::{Registered, Work};
use crate::sql::names_table;
use crate::storage::projections::{ProjectionStatus, status};
use crate::{Error, Result};

/// How often the rows are looked at for projections that run in another process: once for all who wait here, more and
/// more seldom.
const POLL: Duration = Duration::from_millis(20);
const LONGEST_POLL: Duration = Duration::from_millis(500);

/// What those who wait here know of projections.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The last position told of each projection that somebody waited for, newer than the waiting.
    told: Mutex<HashMap<Box<str>, watch::Sender<i64>>>,
    /// One of those who wait looks for all.
    looking: tokio::sync::Mutex<()>,
}

impl Progress {
    /// Notes that a projection is at a position now.
    pub(crate) fn moved(&self, name: &str, position: i64) {
        if let Some(told) = self.told.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            told.send_replace(position);
        }
    }

    fn follow(&self, name: &str) -> watch::Receiver<i64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.entry(name.into()).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// Looks after a while, for all who wait here, when nobody else does.
    async fn look(&self, core: &Core, pause: Duration) -> Result<()> {
        let _looking = self.looking.lock().await;
        tokio::time::sleep(pause).await;
        for found in look(core, None).await? {
            self.moved(&found.name, found.position);
        }
        Ok(())
    }
}

async fn look(core: &Core, name: Option<&str>) -> Result<Vec<ProjectionStatus>> {
    let mut conn = core.pool.acquire().await?;
    status(&mut conn, &core.texts, name).await
}

/// Waits for every projection registered here that keeps a collection which one of these texts of queries reads.
pub(crate) async fn wait_for_read(
    core: &SharedCore,
    query: &str,
    texts: &[&str],
    position: i64,
    timeout: Duration,
) -> Result<()> {
    let is_read = |it: &&Registered| match &it.work {
        Work::Documents(_, kept) => texts.iter().any(|text| names_table(text, kept.table)),
        Work::Sql(_) => false,
    };
    let waiting: Vec<_> =
        core.projections.iter().filter(is_read).map(|it| wait_for(core, &it.name, position, timeout)).collect();
    if waiting.is_empty() {
        return Err(Error::NotProjected { query: query.to_owned() });
    }
    try_join_all(waiting).await.map(drop)
}

/// Waits until the projection's checkpoint is at `position` or past it.
pub(crate) async fn wait_for(core: &SharedCore, name: &str, position: i64, timeout: Duration) -> Result<()> {
    if core.inline().any(|it| &*it.name == name) {
        return Ok(()); // committed with the append itself
    }
    let begun = Instant::now();
    // before the look, so that a move between the look and the wait is not missed
    let mut news = core.progress.follow(name);
    // one that is registered here may not have begun anywhere yet
    let known_here = core.projections.iter().any(|it| &*it.name == name);
    let mut reached = match look(core, Some(name)).await?.first() {
        Some(found) => found.position,
        None if known_here => 0,
        None => return Err(Error::UnknownProjection { name: name.to_owned() }),
    };
    while reached < position {
        let waited = begun.elapsed();
        let Some(left) = timeout.checked_sub(waited) else {
            return Err(Error::WaitTimeout { name: name.to_owned(), position, reached, waited: timeout });
        };
        let pause = (POLL + waited / 8).min(LONGEST_POLL);
        tokio::select! {
            // what is told from here on is newer than the first look; its sender lives as long as the core
            _told = news.changed() => reached = *news.borrow_and_update(),
            looked = core.progress.look(core, pause) => looked?,
            () = tokio::time::sleep(left) => {}
        }
    }
    Ok(())
}
