//! Waiting for a read model: read your own writes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::sync::watch;

use super::{Core, SharedCore};
use crate::model::{Registered, Shard, Work};
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
    /// The last position told of each projection, or shard of one, that somebody waited for, newer than the waiting.
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
            for (number, shard) in (0..).zip(&found.shards) {
                self.moved(&Shard::row(&found.name, number), shard.position);
            }
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
    let mut first = Some(core.progress.follow(name));
    let Some(found) = look(core, Some(name)).await?.pop() else {
        // one that is registered here may not have begun anywhere yet
        core.registered(name)?;
        let news = core.progress.follow(name);
        return wait_for_shard(core, Waiting { name, position, begun, timeout }, 0, news).await;
    };
    for (number, shard) in (0..).zip(found.shards) {
        let news = first.take().unwrap_or_else(|| core.progress.follow(&Shard::row(name, number)));
        wait_for_shard(core, Waiting { name, position, begun, timeout }, shard.position, news).await?;
    }
    Ok(())
}

/// What is waited for, since when and for how long.
#[derive(Clone, Copy)]
struct Waiting<'w> {
    name: &'w str,
    position: i64,
    begun: Instant,
    timeout: Duration,
}

async fn wait_for_shard(
    core: &Core,
    waiting: Waiting<'_>,
    mut reached: i64,
    mut news: watch::Receiver<i64>,
) -> Result<()> {
    let Waiting { name, position, begun, timeout } = waiting;
    while reached < position {
        let waited = begun.elapsed();
        let Some(left) = timeout.checked_sub(waited) else {
            // a shard that is no more tells nothing: the projection was split anew meanwhile
            reached = look(core, Some(name)).await?.first().map_or(reached, |found| found.position);
            if reached >= position {
                return Ok(());
            }
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
