//! One projection while this process owns it: read a batch, handle it, write what it came to with the checkpoint.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::SharedCore;
use super::backoff::Backoff;
use super::daemon::DaemonConfig;
use super::handling::{Handling, keys_of};
use super::resume::{go_on, restart};
use crate::model::{EventEnvelope, OnFailure, Registered};
use crate::observe::{measure, operation, projecting};
use crate::storage::failure::passing;
use crate::storage::letters::{self, Letter, storable};
use crate::storage::projections::{self, Checkpoint, Fence, Lease};
use crate::{Error, Result};

/// How many events a first batch holds at most.
const FIRST_BATCH: i64 = 200;
/// Faster batches grow, slower ones shrink.
const FAST: Duration = Duration::from_millis(100);
const SLOW: Duration = Duration::from_millis(500);

/// A projection and the lease on it.
pub(super) struct Projector {
    core: SharedCore,
    registered: Registered,
    config: DaemonConfig,
    /// Whether it reads from the window that all projections of the process share.
    shared: bool,
    /// Where it ends.
    bound: i64,
    token: i64,
    position: i64,
    /// How many events the next batch holds at most.
    limit: i64,
    /// The keys whose events wait behind one that failed.
    parked: HashSet<String>,
    suspect: Option<Suspect>,
    /// The pauses between the tries of one event.
    backoff: Backoff,
}

/// Where a batch failed, so that the next ones are smaller.
#[derive(Clone, Copy)]
enum Suspect {
    /// At this event: what is before it is done first, then it stands alone.
    At(i64),
    /// Somewhere up to here: one event after the other.
    Within(i64),
}

/// What one step came to.
pub(super) enum Advance {
    /// This many events were handled; 0 when the next step is a smaller one.
    Moved(u64),
    /// There is nothing up to the known mark.
    UpToDate,
    /// Another owner has it, or it is paused. Nothing was written.
    Lost,
    /// An event failed, and is tried again after the pause.
    Again(Duration, Error),
}

impl Projector {
    /// Takes up a projection at its checkpoint: checks that this is its history, and begins anew for a new version.
    /// `None`: the lease is lost.
    pub(super) async fn begin(
        core: &SharedCore,
        registered: &Registered,
        lease: Lease,
        config: DaemonConfig,
    ) -> Result<Option<Self>> {
        if registered.shard.of > 1 && registered.shards.is_none() {
            let reason =
                "a program whose handlers allow it split it: make it one there, by `Projections::split(name, 1)`";
            return Err(Error::CannotSplit { name: registered.name.to_string(), reason });
        }
        let begun = match lease.version == registered.version {
            true => go_on(core, registered, lease).await?,
            // an older model that holds something is rebuilt beside; what runs it came before us
            false if !core.begins_in_place(registered) && lease.checkpoint.position > 0 => None,
            false => restart(core, registered, lease.token).await?.then_some(0),
        };
        let Some(position) = begun else { return Ok(None) };
        core.log.forget().await;
        let mut conn = core.pool.acquire().await?;
        let parked = match registered.on_failure {
            OnFailure::Park => letters::parked_keys(&mut conn, &core.texts, &registered.name).await?,
            OnFailure::Stop | OnFailure::Skip => Vec::new(),
        };
        Ok(Some(Self {
            core: core.clone(),
            registered: registered.clone(),
            config,
            shared: false,
            bound: i64::MAX,
            token: lease.token,
            position,
            limit: config.batch_size.clamp(1, FIRST_BATCH),
            parked: parked.into_iter().collect(),
            suspect: None,
            backoff: Backoff::new(config.first_retry, config.longest_retry),
        }))
    }

    /// Reads from the window that the projections of this process share.
    pub(super) fn sharing_reads(self) -> Self {
        Self { shared: true, ..self }
    }

    /// Ends at a position.
    pub(super) fn up_to(self, bound: i64) -> Self {
        Self { bound, ..self }
    }

    /// Every event up to here is done.
    pub(super) fn position(&self) -> i64 {
        self.position
    }

    /// Whether it is where it ends.
    pub(super) fn is_done(&self) -> bool {
        self.position >= self.bound
    }

    /// Extends the lease. `false`: it is lost.
    pub(super) async fn keep(&self) -> Result<bool> {
        let stay = Checkpoint { position: self.position, last: None, handled: 0, letters: None };
        let mut conn = self.core.pool.acquire().await?;
        projections::save_checkpoint(&mut conn, &self.core.texts, self.fence(), stay).await
    }

    /// One batch.
    pub(super) async fn advance(&mut self) -> Result<Advance> {
        let mark = self.core.known_mark().min(self.bound);
        let (until, limit) = match self.suspect {
            None => (mark, self.limit),
            Some(Suspect::At(failing)) if self.position < failing - 1 => (failing - 1, self.limit),
            Some(Suspect::At(failing)) => (failing, 1),
            Some(Suspect::Within(_)) => (mark, 1),
        };
        if self.position >= until {
            return Ok(Advance::UpToDate);
        }
        let begun = Instant::now();
        let batch = self.core.log.read(&self.core, self.shared, self.position, until, &self.registered, limit).await?;
        let handled = batch.events.len() as u64;
        match self.handle(&batch.events, batch.reached).await {
            Ok(true) => {
                self.moved(batch.reached);
                self.adapt(begun.elapsed(), handled as i64 == limit && self.suspect.is_none());
                Ok(Advance::Moved(handled))
            }
            Ok(false) => Ok(Advance::Lost),
            Err(error) => self.failed(error, &batch.events).await,
        }
    }

    fn moved(&mut self, position: i64) {
        self.position = position;
        self.backoff.reset();
        self.suspect = self.suspect.filter(|&(Suspect::At(to) | Suspect::Within(to))| position < to);
        self.core.progress.moved(&self.registered.name, position);
    }

    /// Full batches that are fast become larger, slow ones smaller.
    fn adapt(&mut self, took: Duration, full: bool) {
        if took > SLOW {
            self.limit = (self.limit / 2).max(1);
        } else if full && took < FAST {
            self.limit = (self.limit * 2).min(self.config.batch_size.max(1));
        }
    }

    /// Handles events and moves the checkpoint to `position`. `false`: the lease is lost, and nothing was written.
    async fn handle(&mut self, events: &[Arc<EventEnvelope>], position: i64) -> Result<bool> {
        let last = events.last().map(|e| (e.global_seq, e.event_id));
        let (events, waiting) = self.set_apart(events)?;
        let checkpoint =
            Checkpoint { position, last, handled: events.len() as i64, letters: as_json(&waiting, &self.registered)? };
        let (number, name) = (events.len(), &*self.registered.name);
        let operation = projecting(&self.core.observer, operation!(&self.core, "project", name), name, &events);
        let handling = Handling { core: &self.core, registered: &self.registered, fence: self.fence() };
        let written = operation.run(handling.run(events, checkpoint)).await?;
        measure::projected(name, number, position, self.core.known_mark());
        if written {
            self.parked.extend(waiting.into_iter().flat_map(|letter| letter.keys));
        }
        Ok(written)
    }

    fn fence(&self) -> Fence<'_> {
        Fence { name: &self.registered.name, token: self.token, from: self.position, ttl: self.config.lease_ttl }
    }

    /// Splits off the events that wait behind one that failed, and those that wait behind them.
    fn set_apart(&self, events: &[Arc<EventEnvelope>]) -> Result<(Vec<Arc<EventEnvelope>>, Vec<Letter>)> {
        if self.parked.is_empty() {
            return Ok((events.to_vec(), Vec::new()));
        }
        let (mut go_on, mut waiting, mut parked) = (Vec::new(), Vec::new(), self.parked.clone());
        for event in events {
            let keys = keys_of(&self.registered, event)?;
            if keys.iter().any(|key| parked.contains(key)) {
                parked.extend(keys.iter().cloned());
                waiting.push(letter(event, keys, None, 0));
            } else {
                go_on.push(event.clone());
            }
        }
        Ok((go_on, waiting))
    }

    /// What to do about a batch that failed. Nothing of it was written.
    async fn failed(&mut self, error: Error, events: &[Arc<EventEnvelope>]) -> Result<Advance> {
        if passing(&error) {
            return Err(error);
        }
        let event = match events {
            [] => return Err(error),
            [alone] => alone,
            [.., last] => {
                self.suspect = Some(match error {
                    Error::Projection { position, .. } => Suspect::At(position),
                    _ => Suspect::Within(last.global_seq),
                });
                return Ok(Advance::Moved(0));
            }
        };
        let error = match error {
            Error::Projection { .. } => error,
            other => Error::Projection {
                name: self.registered.name.to_string(),
                position: event.global_seq,
                source: other.into(),
            },
        };
        let pause = self.backoff.next();
        if self.registered.on_failure == OnFailure::Stop || self.backoff.tries() < self.config.max_attempts {
            self.note_failure(&error).await?;
            return Ok(Advance::Again(pause, error));
        }
        self.set_aside(event, &error).await
    }

    /// Keeps an event as a dead letter, and moves past it.
    async fn set_aside(&mut self, event: &EventEnvelope, error: &Error) -> Result<Advance> {
        tracing::error!(projection = &*self.registered.name, position = event.global_seq, %error, "an event is set aside");
        // an event that cannot be read names no document: nothing can wait behind it
        let keys = keys_of(&self.registered, event).unwrap_or_default();
        let letter = letter(event, keys.clone(), Some(storable(&error.to_string())), self.backoff.tries());
        let checkpoint = Checkpoint {
            position: event.global_seq,
            last: Some((event.global_seq, event.event_id)),
            handled: 0,
            letters: as_json(&[letter], &self.registered)?,
        };
        let mut conn = self.core.pool.acquire().await?;
        if !projections::save_checkpoint(&mut conn, &self.core.texts, self.fence(), checkpoint).await? {
            return Ok(Advance::Lost);
        }
        drop(conn);
        if self.registered.on_failure == OnFailure::Park {
            self.parked.extend(keys);
        }
        self.moved(event.global_seq);
        Ok(Advance::Moved(0))
    }

    /// Keeps an error where people look for it.
    pub(super) async fn note_failure(&self, error: &Error) -> Result<()> {
        let mut conn = self.core.pool.acquire().await?;
        let (texts, name) = (&self.core.texts, &self.registered.name);
        projections::note_failure(&mut conn, texts, name, self.token, &error.to_string()).await
    }
}

fn letter(event: &EventEnvelope, keys: Vec<String>, error: Option<String>, attempts: u32) -> Letter {
    Letter { position: event.global_seq, event_id: event.event_id, keys, error, attempts }
}

fn as_json(letters: &[Letter], registered: &Registered) -> Result<Option<String>> {
    if letters.is_empty() {
        return Ok(None);
    }
    let json = serde_json::to_string(letters);
    json.map(Some)
        .map_err(|e| Error::Encode { what: format!("dead letters of {}", registered.name), reason: e.to_string() })
}
