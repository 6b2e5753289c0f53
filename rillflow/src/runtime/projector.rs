//! One async projection: take the lease, then read a batch, fold it, write documents and checkpoint together.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use tokio::sync::watch;
use uuid::Uuid;

use super::SharedCore;
use super::append::{fold, push_all};
use super::backoff::Backoff;
use super::daemon::DaemonConfig;
use super::marks::Marks;
use crate::model::{AnyProjection, EventEnvelope};
use crate::observe::{measure, operation, projecting};
use crate::storage::projections::{self, Checkpoint, Lease};
use crate::storage::{documents, events, marks};
use crate::{Error, Result};

/// Runs one projection whenever this process can own it.
pub(super) struct Projector {
    pub(super) core: SharedCore,
    pub(super) projection: Arc<dyn AnyProjection>,
    pub(super) owner: Uuid,
    pub(super) config: DaemonConfig,
    pub(super) stop: watch::Receiver<bool>,
}

/// Why an owner is one no more.
enum End {
    Stopped,
    Lost,
}

/// What one batch came to.
enum Step {
    Moved,
    UpToDate,
    Lost,
}

/// What an owner knows.
struct Owned {
    token: i64,
    position: i64,
    /// Events before this one are done first, as it failed within a larger batch.
    before: Option<i64>,
}

impl Projector {
    /// Runs until told to stop.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(self.config.first_retry, self.config.longest_retry);
        while !*self.stop.borrow() {
            let pause = match self.try_to_own(&mut backoff).await {
                Ok(Some(End::Stopped)) => return,
                Ok(Some(End::Lost)) | Ok(None) => self.config.lease_ttl / 3,
                Err(error) => {
                    tracing::warn!(projection = self.projection.name(), %error, "a projection stopped; trying again");
                    backoff.next()
                }
            };
            self.pause(pause).await;
        }
    }

    /// Takes the lease and works until it is lost or given back; `None` when another owner holds it.
    async fn try_to_own(&mut self, backoff: &mut Backoff) -> Result<Option<End>> {
        let Some(lease) = self.take_lease().await? else { return Ok(None) };
        let token = lease.token;
        let end = self.own(lease, backoff).await;
        if matches!(end, Ok(End::Stopped) | Err(_)) {
            let mut conn = self.core.pool.acquire().await?;
            if let Err(error) = &end {
                projections::note_failure(
                    &mut conn,
                    &self.core.texts,
                    self.projection.name(),
                    token,
                    &error.to_string(),
                )
                .await?;
            }
            projections::release_lease(&mut conn, &self.core.texts, self.projection.name(), token).await?;
        }
        end.map(Some)
    }

    async fn take_lease(&self) -> Result<Option<Lease>> {
        let mut conn = self.core.pool.acquire().await?;
        let (name, version) = (self.projection.name(), self.projection.version());
        projections::take_lease(&mut conn, &self.core.texts, name, version, self.owner, self.config.lease_ttl).await
    }

    async fn own(&mut self, lease: Lease, backoff: &mut Backoff) -> Result<End> {
        let Some(mut owned) = self.begin(lease).await? else { return Ok(End::Lost) };
        let mut mark = Marks::follow(&self.core);
        loop {
            if *self.stop.borrow() {
                return Ok(End::Stopped);
            }
            match self.step(&mut owned).await {
                Ok(Step::Moved) => {
                    backoff.reset();
                    self.core.progress.moved();
                }
                Ok(Step::Lost) => return Ok(End::Lost),
                Ok(Step::UpToDate) => {
                    tokio::select! {
                        _changed = mark.changed() => {}
                        _stop = self.stop.changed() => {}
                        () = tokio::time::sleep(self.config.lease_ttl / 3) => {
                            if !self.keep_lease(&owned).await? { return Ok(End::Lost) }
                        }
                    }
                }
                // what came before the failing event is done first; then it stands alone
                Err(Error::Projection { position, .. }) if owned.before.is_none_or(|before| before > position) => {
                    owned.before = Some(position);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Checks that the stored checkpoint is of this history, and begins anew for a new version.
    async fn begin(&self, lease: Lease) -> Result<Option<Owned>> {
        let name = self.projection.name();
        let mut conn = self.core.pool.acquire().await?;
        let owned = Owned { token: lease.token, position: lease.position, before: None };
        if lease.version != self.projection.version() {
            let mut tx = conn.begin().await?;
            let (version, collection) = (self.projection.version(), self.projection.collection());
            if !projections::restart(&mut tx, &self.core.texts, name, lease.token, version, collection).await? {
                return Ok(None);
            }
            tx.commit().await?;
            return Ok(Some(Owned { position: 0, ..owned }));
        }
        let known = match lease.last {
            Some((position, id)) => events::event_at(&mut conn, &self.core.texts, position).await? == Some(id),
            None => true,
        };
        if !known || marks::safe_mark(&mut conn, &self.core.texts).await?.drawn < lease.position {
            return Err(Error::HistoryDiverged { name: name.to_owned(), position: lease.position });
        }
        Ok(Some(owned))
    }

    /// One batch: everything it writes, it writes in one statement.
    async fn step(&self, owned: &mut Owned) -> Result<Step> {
        let mark = self.core.known_mark();
        // a failing event is retried by itself, which bounds the batch to it or to what is before it
        let until =
            owned.before.map_or(mark, |failing| if owned.position < failing - 1 { failing - 1 } else { failing });
        if owned.position >= until {
            return Ok(Step::UpToDate);
        }
        let mut conn = self.core.pool.acquire().await?;
        let types: Vec<_> = self.projection.types().iter().map(|t| t.name).collect();
        let limit = self.config.batch_size;
        let events = events::read_all(&mut conn, &self.core.texts, owned.position, until, Some(&types), limit).await?;
        let last = events.last().map(|e| (e.global_seq, e.event_id));
        let full = events.len() as i64 == limit;
        let position = last.filter(|_| full).map_or(until, |(position, _)| position);
        let (number, name) = (events.len(), self.projection.name());
        let operation = projecting(&self.core.observer, operation!(&self.core, "project", name), name, &events);
        let written = operation.run(self.write(&mut conn, owned.token, Checkpoint { position, last }, events)).await?;
        measure::projected(name, number, position, mark);
        if !written {
            return Ok(Step::Lost);
        }
        owned.position = position;
        owned.before = owned.before.filter(|&failing| position < failing);
        Ok(Step::Moved)
    }

    /// Folds the events and writes their documents with the checkpoint. `false`: the lease is lost.
    async fn write(
        &self,
        conn: &mut sqlx::PgConnection,
        token: i64,
        checkpoint: Checkpoint,
        events: Vec<EventEnvelope>,
    ) -> Result<bool> {
        let (texts, projection, ttl) = (&self.core.texts, &*self.projection, self.config.lease_ttl);
        let mut batch = projection.batch();
        push_all(projection, &mut *batch, events)?;
        if batch.is_empty() {
            return projections::save_checkpoint(conn, texts, projection.name(), token, checkpoint, ttl).await;
        }
        // no lock: the lease keeps other writers away, and the token in the write keeps out those who lost theirs
        documents::load_batch(conn, texts, projection.collection(), &mut *batch, false).await?;
        fold(projection, &mut *batch)?;
        let (collection, changes) = (projection.collection(), batch.changes()?);
        projections::write_batch(conn, texts, projection.name(), token, checkpoint, ttl, collection, changes).await
    }

    async fn keep_lease(&self, owned: &Owned) -> Result<bool> {
        let mut conn = self.core.pool.acquire().await?;
        projections::keep_lease(&mut conn, &self.core.texts, self.projection.name(), owned.token, self.config.lease_ttl)
            .await
    }

    async fn pause(&mut self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _stop = self.stop.changed() => {}
        }
    }
}
