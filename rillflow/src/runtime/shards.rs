//! All shards of a projection in one hand: to move them together, and to split them anew.

use std::time::Duration;

use uuid::Uuid;

use super::SharedCore;
use super::backoff::Backoff;
use super::daemon::DaemonConfig;
use super::projector::{Advance, Projector};
use super::ticks::look;
use crate::model::{Registered, Shard};
use crate::storage::projections::{self, Lease};
use crate::{Error, Result};

/// How often a split is tried when other processes take shards meanwhile.
const TRIES: u32 = 10;

/// A projection whose shards are all held here.
pub(super) struct Held {
    core: SharedCore,
    owner: Uuid,
    /// In the order of their numbers.
    pub(super) shards: Vec<(Shard, Lease)>,
}

impl Held {
    /// Takes them from whoever runs them: what these have in hand is not written.
    pub(super) async fn seize(core: &SharedCore, name: &str, ttl: Duration) -> Result<Self> {
        let owner = Uuid::new_v4();
        let mut conn = core.pool.acquire().await?;
        let shards = projections::seize_leases(&mut conn, &core.texts, name, owner, ttl).await?;
        if shards.is_empty() {
            return Err(Error::UnknownProjection { name: name.to_owned() });
        }
        Ok(Self { core: core.clone(), owner, shards })
    }

    /// The token of the first, which stands for all where they are swapped.
    pub(super) fn token(&self) -> i64 {
        self.shards.first().map_or(0, |(_, lease)| lease.token)
    }

    /// Gives back what is still held.
    pub(super) async fn release(&self) -> Result<()> {
        let mut conn = self.core.pool.acquire().await?;
        projections::leave_work(&mut conn, &self.core.texts, self.owner).await
    }
}

/// Splits a projection into so many shards.
pub(crate) async fn split(core: &SharedCore, registered: &Registered, config: DaemonConfig, shards: i32) -> Result<()> {
    if registered.shards.is_none() {
        return Err(cannot(
            registered,
            "what one stream's events change may be changed by another's: see `key = stream`",
        ));
    }
    if !(1..=Shard::MOST).contains(&shards) {
        return Err(cannot(registered, "a projection has from 1 to 1024 shards"));
    }
    let mut conn = core.pool.acquire().await?;
    projections::register(&mut conn, &core.texts, registered).await?;
    drop(conn);
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
    while backoff.tries() < TRIES {
        let held = Held::seize(core, &registered.name, config.lease_ttl).await?;
        let split = split_held(&held, registered, config, shards).await;
        if !matches!(split, Ok(true)) {
            held.release().await?;
        }
        if split? {
            return Ok(());
        }
        tokio::time::sleep(backoff.next()).await;
    }
    Err(cannot(registered, "other processes took its shards again and again, or it is paused: resume it, or try again"))
}

/// `false`: a shard was lost meanwhile.
async fn split_held(held: &Held, registered: &Registered, config: DaemonConfig, shards: i32) -> Result<bool> {
    let furthest = held.shards.iter().map(|(_, lease)| lease.checkpoint.position).max().unwrap_or(0);
    for (shard, lease) in &held.shards {
        if lease.checkpoint.position < furthest
            && !catch_up(&held.core, &registered.shard(*shard), *lease, config, furthest).await?
        {
            return Ok(false);
        }
    }
    let mut conn = held.core.pool.acquire().await?;
    projections::split(&mut conn, &held.core.texts, &registered.name, Some(held.owner), shards).await
}

/// Runs one shard up to a position. `false`: it was lost.
async fn catch_up(
    core: &SharedCore,
    shard: &Registered,
    lease: Lease,
    config: DaemonConfig,
    position: i64,
) -> Result<bool> {
    if lease.version != shard.version {
        return Err(cannot(shard, "it is of another version than this program's"));
    }
    look(core).await?;
    let Some(projector) = Projector::begin(core, shard, lease, config).await? else { return Ok(false) };
    run_to_its_end(core, &mut projector.up_to(position), config.max_attempts, |_, _| {}).await
}

/// Handles everything up to where a shard ends, and tells of each batch. `false`: it is lost.
pub(super) async fn run_to_its_end(
    core: &SharedCore,
    shard: &mut Projector,
    max_attempts: u32,
    moved: impl Fn(i64, u64),
) -> Result<bool> {
    let mut tries = 0;
    loop {
        match shard.advance().await? {
            Advance::Moved(handled) => {
                tries = 0;
                moved(shard.position(), handled);
            }
            Advance::UpToDate if shard.is_done() => return Ok(true),
            Advance::UpToDate => drop(look(core).await?),
            Advance::Lost => return Ok(false),
            Advance::Again(pause, error) => {
                tries += 1;
                if tries >= max_attempts {
                    return Err(error);
                }
                tokio::time::sleep(pause).await;
            }
        }
    }
}

fn cannot(registered: &Registered, reason: &'static str) -> Error {
    Error::CannotSplit { name: registered.name.to_string(), reason }
}
