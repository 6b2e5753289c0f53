//! Building a read model anew beside the live one, and putting it in its place.

mod building;
mod shared_table;
mod swap;

use std::time::Duration;

use super::SharedCore;
use super::daemon::DaemonConfig;
use super::resume::restart;
use super::shards::Held;
use super::ticks::{self, TickResult, Until};
use crate::model::{Lifecycle, Registered, Work};
use crate::sql::beside::Beside;
use crate::storage::{projections, rebuild as beside_the_live_one};
use crate::{Error, Result};

use building::Building;

/// How long the swap waits for readers of the live model before it lets them pass and tries again.
const SWAP_WAITS: Duration = Duration::from_secs(1);

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RebuildProgress {
    /// Every event up to here is in the new read model.
    pub position: i64,
    /// Where the log ends by now.
    pub target: i64,
    /// How many events were handled since this process took the rebuild up.
    pub handled: u64,
    /// How many of them per second.
    pub events_per_second: f64,
}

impl RebuildProgress {
    /// How long it may still take, going by the positions done so far.
    #[must_use]
    pub fn time_left(&self, elapsed: Duration) -> Option<Duration> {
        let left = (self.target - self.position).max(0) as f64;
        (self.position > 0).then(|| elapsed.mul_f64(left / self.position as f64))
    }
}

/// Told of a rebuild's progress after every batch.
pub(crate) type OnProgress<'p> = dyn FnMut(RebuildProgress) + Send + 'p;

/// Builds a projection anew, and says how many events were handled. Begun rebuilds of the same version are gone on with.
pub(crate) async fn rebuild(
    core: &SharedCore,
    registered: &Registered,
    config: DaemonConfig,
    progress: &mut OnProgress<'_>,
) -> Result<u64> {
    if registered.lifecycle == Lifecycle::Async {
        let mut conn = core.pool.acquire().await?;
        projections::register(&mut conn, &core.texts, registered).await?;
    }
    match &registered.work {
        Work::Documents(_, collection)
            if core.begins_in_place(registered) && registered.lifecycle == Lifecycle::Inline =>
        {
            shared_table::rebuild(core, registered, collection).await
        }
        _ if core.begins_in_place(registered) => match in_place(core, registered, config).await? {
            TickResult::Processed { count } => Ok(count),
            _ => Ok(0),
        },
        Work::Sql(_) => Ok(0),
        Work::Documents(_, collection) => {
            let mut building = Building::begin(core, registered, collection, config).await?;
            let built = building.run(progress).await;
            if built.is_err() {
                building.release().await?; // for whoever goes on with it
            }
            built
        }
    }
}

/// An SQL projection writes where it likes, and the tables of tenants are not one's to swap: there is nothing to build
/// beside, and it begins anew in its place.
async fn in_place(core: &SharedCore, registered: &Registered, config: DaemonConfig) -> Result<TickResult> {
    let held = Held::seize(core, &registered.name, config.lease_ttl).await?;
    let begun = restart(core, registered, held.token()).await;
    held.release().await?;
    if !begun? {
        return Err(Error::RebuildLost { name: registered.name.to_string() });
    }
    Box::pin(ticks::run(core, registered, config, Until::Idle)).await
}

/// Puts the read model that was kept back in the place of the live one.
pub(crate) async fn roll_back(core: &SharedCore, registered: &Registered, config: DaemonConfig) -> Result<bool> {
    let Work::Documents(_, collection) = &registered.work else { return Ok(false) };
    let held = Held::seize(core, &registered.name, config.lease_ttl).await?;
    let swapped = async {
        let mut tx = core.pool.begin().await?;
        beside_the_live_one::bound_locks(&mut tx, &core.texts, SWAP_WAITS).await?;
        let (name, token) = (&registered.name, held.token());
        let swapped = beside_the_live_one::swap(&mut tx, &core.texts, name, token, collection, Beside::Old).await?;
        tx.commit().await?;
        Ok(swapped)
    };
    let swapped = swapped.await;
    held.release().await?;
    swapped
}

/// Gives up what is built or kept beside the live model.
pub(crate) async fn give_up(core: &SharedCore, registered: &Registered, which: Beside) -> Result<bool> {
    let Work::Documents(_, collection) = &registered.work else { return Ok(false) };
    let mut conn = core.pool.acquire().await?;
    beside_the_live_one::give_up(&mut conn, &core.texts, &registered.name, collection, which).await
}
