//! Building a read model anew beside the live one, and putting it in its place.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::SharedCore;
use super::backoff::Backoff;
use super::daemon::DaemonConfig;
use super::projector::{Advance, Projector, restart};
use super::ticks::{self, TickResult, Until, look};
use crate::model::{Collection, Lifecycle, Registered, Work};
use crate::sql::beside::{self, Beside};
use crate::storage::{failure, projections, rebuild as beside_the_live_one, schema};
use crate::{Error, Result};

/// How many events one batch of a rebuild holds at most: no reader waits for it.
const BATCH: i64 = 5000;
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
    let mut conn = core.pool.acquire().await?;
    if registered.lifecycle == Lifecycle::Async {
        projections::register(&mut conn, &core.texts, &registered.name, registered.version).await?;
    }
    drop(conn);
    match &registered.work {
        _ if core.begins_in_place(registered) => match in_place(core, registered, config).await? {
            TickResult::Processed { count } => Ok(count),
            _ => Ok(0),
        },
        Work::Sql(_) => Ok(0),
        Work::Documents(_, collection) => {
            let mut building = Building::begin(core, registered, collection, config).await?;
            let built = building.run(progress).await;
            if built.is_err() {
                building.projector.release().await?; // for whoever goes on with it
            }
            built
        }
    }
}

/// An SQL projection writes where it likes, and the tables of tenants are not one's to swap: there is nothing to build
/// beside, and it begins anew in its place.
async fn in_place(core: &SharedCore, registered: &Registered, config: DaemonConfig) -> Result<TickResult> {
    let mut conn = core.pool.acquire().await?;
    let seized =
        projections::seize_lease(&mut conn, &core.texts, &registered.name, Uuid::new_v4(), config.lease_ttl).await?;
    let lease = seized.ok_or_else(|| Error::UnknownProjection { name: registered.name.to_string() })?;
    drop(conn);
    let begun = restart(core, registered, lease.token).await?;
    let mut conn = core.pool.acquire().await?;
    projections::release_lease(&mut conn, &core.texts, &registered.name, lease.token).await?;
    drop(conn);
    if !begun {
        return Err(Error::RebuildLost { name: registered.name.to_string() });
    }
    Box::pin(ticks::run(core, registered, config, Until::Idle)).await
}

/// A read model being built beside the live one.
struct Building<'b> {
    core: &'b SharedCore,
    live: &'b Registered,
    collection: &'static Collection,
    projector: Projector,
    config: DaemonConfig,
    begun: Instant,
    handled: u64,
}

impl<'b> Building<'b> {
    async fn begin(
        core: &'b SharedCore,
        live: &'b Registered,
        collection: &'static Collection,
        config: DaemonConfig,
    ) -> Result<Self> {
        let beside = live.beside(beside::collection(collection)?);
        let config = DaemonConfig { batch_size: config.batch_size.max(BATCH), ..config };
        let mut conn = core.pool.acquire().await?;
        let (texts, version) = (&core.texts, live.version);
        if !beside_the_live_one::begin(&mut conn, texts, &live.name, version, collection).await? {
            // of a version that is not wanted any more
            beside_the_live_one::give_up(&mut conn, texts, &live.name, collection, Beside::Rebuild).await?;
            beside_the_live_one::begin(&mut conn, texts, &live.name, version, collection).await?;
        }
        let owner = Uuid::new_v4();
        let lease = projections::take_lease(&mut conn, texts, &beside.name, version, owner, config.lease_ttl).await?;
        drop(conn);
        let lost = || Error::RebuildLost { name: live.name.to_string() };
        let projector = Projector::begin(core, &beside, lease.ok_or_else(lost)?, config).await?.ok_or_else(lost)?;
        Ok(Self { core, live, collection, projector, config, begun: Instant::now(), handled: 0 })
    }

    async fn run(&mut self, progress: &mut OnProgress<'_>) -> Result<u64> {
        self.catch_up(progress).await?;
        self.index().await?;
        self.catch_up(progress).await?;
        self.swap(progress).await?;
        Ok(self.handled)
    }

    fn lost(&self) -> Error {
        Error::RebuildLost { name: self.live.name.to_string() }
    }

    /// Handles everything that is settled by now.
    async fn catch_up(&mut self, progress: &mut OnProgress<'_>) -> Result<()> {
        let (mut target, mut tries) = (look(self.core).await?, 0);
        loop {
            match self.projector.advance().await? {
                Advance::Moved(handled) => {
                    self.handled += handled;
                    tries = 0;
                    progress(self.progress(target));
                }
                Advance::UpToDate if self.projector.position() >= target => return Ok(()),
                Advance::UpToDate => target = look(self.core).await?,
                Advance::Lost => return Err(self.lost()),
                Advance::Again(pause, error) => {
                    tries += 1;
                    if tries >= self.config.max_attempts {
                        return Err(error);
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    fn progress(&self, target: i64) -> RebuildProgress {
        RebuildProgress {
            position: self.projector.position(),
            target: target.max(self.projector.position()),
            handled: self.handled,
            events_per_second: self.handled as f64 / self.begun.elapsed().as_secs_f64().max(0.001),
        }
    }

    /// Builds the declared indexes, which cost less on what is there than with every batch.
    async fn index(&mut self) -> Result<()> {
        let (core, collection) = (self.core.clone(), self.collection);
        let build = async move {
            let mut conn = core.pool.acquire().await?;
            for index in collection.indexes {
                schema::create_index_beside(&mut conn, &core.texts, collection, index).await?;
            }
            Ok(())
        };
        tokio::pin!(build);
        loop {
            // an index may take longer than the lease lasts
            tokio::select! {
                built = &mut build => return built,
                () = tokio::time::sleep(self.config.lease_ttl / 3) => {
                    if !self.projector.keep().await? {
                        return Err(self.lost());
                    }
                }
            }
        }
    }

    /// Stops the live model where it is, passes it, and takes its place.
    async fn swap(&mut self, progress: &mut OnProgress<'_>) -> Result<()> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        loop {
            match self.try_to_swap(progress).await {
                Ok(true) => return Ok(()),
                // the live one moved on, or its readers did not let us in: let everybody pass
                Ok(false) => {}
                Err(error) if failure::passing(&error) && backoff.tries() < 100 => {
                    tracing::debug!(%error, projection = &*self.live.name, "the swap gave way; trying again");
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    async fn try_to_swap(&mut self, progress: &mut OnProgress<'_>) -> Result<bool> {
        let (texts, name) = (&self.core.texts, &*self.live.name);
        let mut conn = self.core.pool.acquire().await?;
        let seized = projections::seize_lease(&mut conn, texts, name, Uuid::new_v4(), self.config.lease_ttl).await?;
        let token = seized.ok_or_else(|| Error::UnknownProjection { name: name.to_owned() })?.token;
        drop(conn);
        self.catch_up(progress).await?;
        let swapped = async {
            let mut tx = self.core.pool.begin().await?;
            beside_the_live_one::bound_locks(&mut tx, texts, SWAP_WAITS).await?;
            let which = Beside::Rebuild;
            let swapped = beside_the_live_one::swap(&mut tx, texts, name, token, self.collection, which).await?;
            tx.commit().await?;
            Ok(swapped)
        };
        let swapped = swapped.await;
        if !matches!(swapped, Ok(true)) {
            let mut conn = self.core.pool.acquire().await?;
            projections::release_lease(&mut conn, texts, name, token).await?;
        }
        swapped
    }
}

/// Puts the read model that was kept back in the place of the live one.
pub(crate) async fn roll_back(core: &SharedCore, registered: &Registered, config: DaemonConfig) -> Result<bool> {
    let Work::Documents(_, collection) = &registered.work else { return Ok(false) };
    let (texts, name) = (&core.texts, &*registered.name);
    let mut tx = core.pool.begin().await?;
    beside_the_live_one::bound_locks(&mut tx, texts, SWAP_WAITS).await?;
    let seized = projections::seize_lease(&mut tx, texts, name, Uuid::new_v4(), config.lease_ttl).await?;
    let Some(lease) = seized else { return Ok(false) };
    if !beside_the_live_one::swap(&mut tx, texts, name, lease.token, collection, Beside::Old).await? {
        return Ok(false);
    }
    tx.commit().await?;
    Ok(true)
}

/// Gives up what is built or kept beside the live model.
pub(crate) async fn give_up(core: &SharedCore, registered: &Registered, which: Beside) -> Result<bool> {
    let Work::Documents(_, collection) = &registered.work else { return Ok(false) };
    let mut conn = core.pool.acquire().await?;
    beside_the_live_one::give_up(&mut conn, &core.texts, &registered.name, collection, which).await
}
