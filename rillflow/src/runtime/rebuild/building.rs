//! A read model being built: several readers at once where documents are told apart by stream, each a shard of its own.

use std::time::Instant;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{OnProgress, RebuildProgress};
use crate::model::{Collection, Registered, Shard};
use crate::runtime::SharedCore;
use crate::runtime::daemon::DaemonConfig;
use crate::runtime::projector::Projector;
use crate::runtime::shards::run_to_its_end;
use crate::runtime::ticks::look;
use crate::sql::beside::{self, Beside};
use crate::storage::{projections, rebuild as beside_the_live_one, schema};
use crate::{Error, Result};

/// How many events one batch of a rebuild holds at most: no reader waits for it.
const BATCH: i64 = 5000;

/// A read model being built beside the live one.
pub(super) struct Building<'b> {
    pub(super) core: &'b SharedCore,
    pub(super) live: &'b Registered,
    pub(super) collection: &'static Collection,
    pub(super) config: DaemonConfig,
    /// Who holds the leases of the shards.
    owner: Uuid,
    shards: Vec<Projector>,
    begun: Instant,
    pub(super) handled: u64,
}

/// A shard moved.
struct Moved {
    number: usize,
    position: i64,
    handled: u64,
}

impl<'b> Building<'b> {
    pub(super) async fn begin(
        core: &'b SharedCore,
        live: &'b Registered,
        collection: &'static Collection,
        config: DaemonConfig,
    ) -> Result<Self> {
        let config = DaemonConfig { batch_size: config.batch_size.max(BATCH), ..config };
        let (owner, begun) = (Uuid::new_v4(), Instant::now());
        let mut building = Self { core, live, collection, config, owner, shards: Vec::new(), begun, handled: 0 };
        let of = building.make().await?;
        let taken = building.take(of).await;
        if taken.is_err() {
            building.release().await?;
        }
        taken.map(|()| building)
    }

    /// Makes rows and table, or finds those that were begun for this version, and says into how many shards.
    async fn make(&self) -> Result<i32> {
        let (texts, name, version) = (&self.core.texts, &*self.live.name, self.live.version);
        let shards = if self.live.shards.is_some() { self.config.rebuild_readers.clamp(1, Shard::MOST) } else { 1 };
        let mut conn = self.core.pool.acquire().await?;
        for _ in 0..2 {
            // in one transaction: another process that begins at the same time waits at the row, and finds the table
            let mut tx = conn.begin().await?;
            beside_the_live_one::begin(&mut tx, texts, name, version, shards, self.collection).await?;
            tx.commit().await?;
            if let Some(shards) = beside_the_live_one::find(&mut conn, texts, name, version).await? {
                return Ok(shards);
            }
            // of a version that is not wanted any more
            beside_the_live_one::give_up(&mut conn, texts, name, self.collection, Beside::Rebuild).await?;
        }
        Err(self.lost())
    }

    async fn take(&mut self, of: i32) -> Result<()> {
        let (texts, version, ttl) = (&self.core.texts, self.live.version, self.config.lease_ttl);
        let beside = self.live.beside(beside::collection(self.collection)?);
        for number in 0..of {
            let shard = beside.shard(Shard { number, of });
            let mut conn = self.core.pool.acquire().await?;
            let lease = projections::take_lease(&mut conn, texts, &shard.name, version, self.owner, ttl).await?;
            drop(conn);
            let lease = lease.ok_or_else(|| self.lost())?;
            let begun = Projector::begin(self.core, &shard, lease, self.config).await?;
            self.shards.push(begun.ok_or_else(|| self.lost())?);
        }
        Ok(())
    }

    pub(super) async fn run(&mut self, progress: &mut OnProgress<'_>) -> Result<u64> {
        self.catch_up(progress).await?;
        self.index().await?;
        self.catch_up(progress).await?;
        self.swap(progress).await?;
        Ok(self.handled)
    }

    pub(super) fn lost(&self) -> Error {
        Error::RebuildLost { name: self.live.name.to_string() }
    }

    /// Gives the leases back.
    pub(super) async fn release(&self) -> Result<()> {
        let mut conn = self.core.pool.acquire().await?;
        projections::leave_work(&mut conn, &self.core.texts, self.owner).await
    }

    /// Where all shards are; `None` while one of them is elsewhere.
    pub(super) fn position(&self) -> Option<i64> {
        let first = self.shards.first()?.position();
        self.shards.iter().all(|shard| shard.position() == first).then_some(first)
    }

    /// Brings every shard to where the log is settled by now.
    pub(super) async fn catch_up(&mut self, progress: &mut OnProgress<'_>) -> Result<()> {
        let target = look(self.core).await?;
        let (told, mut news) = mpsc::unbounded_channel();
        let mut positions: Vec<_> = self.shards.iter().map(Projector::position).collect();
        // a task that is dropped with this future ends at its next await, and its batch is rolled back
        let mut tasks = JoinSet::new();
        for (number, shard) in self.shards.drain(..).enumerate() {
            let (core, max_attempts, told) = (self.core.clone(), self.config.max_attempts, told.clone());
            tasks.spawn(async move {
                let mut shard = shard.up_to(target);
                let reached = run_to_its_end(&core, &mut shard, max_attempts, |position, handled| {
                    // nobody listens when the rebuild was given up, and this task with it
                    let _gone = told.send(Moved { number, position, handled });
                });
                reached.await.map(|there| there.then_some((number, shard)))
            });
        }
        drop(told);
        let mut done = Vec::new();
        while done.len() < positions.len() {
            tokio::select! {
                Some(Moved { number, position, handled }) = news.recv() => {
                    positions[number] = position;
                    self.handled += handled;
                    let position = positions.iter().copied().min().unwrap_or(target);
                    progress(self.progress(position, target));
                }
                Some(ended) = tasks.join_next() => {
                    let ended = ended.map_err(|_| self.lost())??;
                    done.push(ended.ok_or_else(|| self.lost())?);
                }
                // those that are done wait for the others
                () = tokio::time::sleep(self.config.lease_ttl / 3) => self.keep(done.iter().map(|(_, it)| it)).await?,
            }
        }
        while let Ok(moved) = news.try_recv() {
            self.handled += moved.handled;
            progress(self.progress(target, target));
        }
        done.sort_by_key(|(number, _)| *number);
        self.shards = done.into_iter().map(|(_, shard)| shard).collect();
        Ok(())
    }

    fn progress(&self, position: i64, target: i64) -> RebuildProgress {
        RebuildProgress {
            position,
            target: target.max(position),
            handled: self.handled,
            events_per_second: self.handled as f64 / self.begun.elapsed().as_secs_f64().max(0.001),
        }
    }

    async fn keep(&self, shards: impl Iterator<Item = &Projector>) -> Result<()> {
        for shard in shards {
            if !shard.keep().await? {
                return Err(self.lost());
            }
        }
        Ok(())
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
                () = tokio::time::sleep(self.config.lease_ttl / 3) => self.keep(self.shards.iter()).await?,
            }
        }
    }
}
