//! The leases of a process: one statement per beat keeps them and takes its share of the free ones.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::backoff::Backoff;
use super::daemon::DaemonConfig;
use super::owned::{Ended, Owned};
use super::rebuild::rebuild;
use super::{SharedCore, Task, inline};
use crate::model::{Registered, Shard};
use crate::storage::failure::passing;
use crate::storage::projections::{self, Lease, Tended, Wanted};
use crate::{Error, Result};

/// How long the server may take to answer a beat, at least.
const PATIENCE: Duration = Duration::from_secs(5);

/// The task that holds a process's leases: one statement per beat for all of them.
pub(super) struct Tender {
    core: SharedCore,
    config: DaemonConfig,
    owner: Uuid,
    stop: watch::Receiver<bool>,
    /// By the names of their rows, which shards of one projection have each.
    running: HashMap<Arc<str>, Running>,
    /// Those whose stored read model is of an older version: built anew beside it.
    rebuilding: HashMap<Arc<str>, Task>,
    /// Whether every inline read model was found to be of this program's version, or of a newer one.
    inline_serves: bool,
    /// A beat had no answer, or no connection: those that run here may wait for theirs in vain.
    silent: bool,
    /// Those that failed, until when they rest.
    resting: HashMap<Arc<str>, (Backoff, Instant)>,
    ended: (mpsc::UnboundedSender<Ended>, mpsc::UnboundedReceiver<Ended>),
}

/// A projection, or a shard of one, that this process owns.
struct Running {
    token: i64,
    stop: watch::Sender<bool>,
    task: Task,
}

impl Tender {
    pub(super) fn new(core: SharedCore, config: DaemonConfig, stop: watch::Receiver<bool>) -> Self {
        Self {
            core,
            config,
            owner: Uuid::new_v4(),
            stop,
            running: HashMap::new(),
            rebuilding: HashMap::new(),
            inline_serves: false,
            silent: false,
            resting: HashMap::new(),
            ended: mpsc::unbounded_channel(),
        }
    }

    pub(super) async fn run(mut self) {
        if self.core.projections.is_empty() {
            // the daemon went away, or says so
            let _stop = self.stop.changed().await;
            return;
        }
        while !*self.stop.borrow() {
            if let Err(error) = self.beat().await {
                self.silent |= passing(&error);
                tracing::warn!(%error, "could not tend the leases of this process's projections; trying again");
            }
            let next = self.next_beat();
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                Some(ended) = self.ended.1.recv() => self.note(ended),
                _stop = self.stop.changed() => {}
            }
        }
        self.leave().await;
    }

    /// The next beat, sooner when a projection has rested enough.
    fn next_beat(&self) -> Instant {
        let beat = Instant::now() + self.config.lease_ttl / 3;
        let rested = self.resting.iter().filter(|(name, _)| !self.running.contains_key(*name)).map(|(_, rest)| rest.1);
        rested.min().map_or(beat, |rested| rested.min(beat))
    }

    async fn beat(&mut self) -> Result<()> {
        let core = self.core.clone();
        if !self.inline_serves {
            self.look_at_inline().await?;
        }
        if core.behind().next().is_none() {
            return Ok(());
        }
        let now = Instant::now();
        let wanted: Vec<_> = core
            .behind()
            .map(|it| Wanted { name: &it.name, version: it.version, restarts: core.begins_in_place(it) })
            .collect();
        let resting: Vec<_> = self.resting.iter().filter(|it| it.1.1 > now).map(|(name, _)| &**name).collect();
        let (owner, ttl) = (self.owner, self.config.lease_ttl);
        let mut conn = core.pool.acquire().await?;
        let tending = projections::tend_leases(&mut conn, &core.texts, owner, ttl, &wanted, &resting);
        let Ok(tended) = tokio::time::timeout(ttl.max(PATIENCE), tending).await else {
            drop(conn.detach());
            let late = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer from PostgreSQL in time");
            return Err(sqlx::Error::Io(late).into());
        };
        let tended = tended?;
        if std::mem::take(&mut self.silent) {
            self.running.clear(); // they go on where they were, on connections that answer
        }
        for (name, token) in self.reconcile(tended) {
            projections::release_lease(&mut conn, &core.texts, &name, token).await?;
        }
        Ok(())
    }

    /// Has inline read models of an older version built anew, until there is none.
    async fn look_at_inline(&mut self) -> Result<()> {
        let stale = inline::stale(&mut *self.core.pool.acquire().await?, &self.core).await?;
        self.inline_serves = stale.is_empty();
        self.rebuilding.retain(|_, task| !task.is_finished());
        stale.iter().for_each(|name| self.rebuild(name));
        Ok(())
    }

    /// Starts what was taken and stops what was lost. Returns leases that nobody here runs under.
    fn reconcile(&mut self, tended: Tended) -> Vec<(String, i64)> {
        let still = |name: &str, token| tended.held.iter().any(|held| held.0 == name && held.1 == token);
        // one whose task ended without a word, as by a panic, is given back, and taken anew
        self.running.retain(|name, running| still(name, running.token) && !running.task.is_finished());
        let runs = |name: &str, token| self.running.get(name).is_some_and(|it| it.token == token);
        let unused = tended.held.iter().filter(|held| !runs(&held.0, held.1));
        let unused = unused.map(|(name, token, _)| (name.clone(), *token)).collect();
        // one per beat, as the other process's next one may change the balance
        let spare = tended.held.iter().find_map(|held| self.running.get(&*held.0).filter(|_| held.2));
        if let Some(spare) = spare {
            spare.stop.send_replace(true);
        }
        for (name, shard, lease) in tended.taken {
            self.start(&name, shard, lease);
        }
        self.rebuilding.retain(|_, task| !task.is_finished());
        for name in tended.stale {
            self.rebuild(&name);
        }
        unused
    }

    fn registered(&self, name: &str) -> Option<&Registered> {
        self.core.projections.iter().find(|it| &*it.name == name)
    }

    fn start(&mut self, name: &str, shard: Shard, lease: Lease) {
        let Some(registered) = self.registered(name).map(|it| it.shard(shard)) else { return };
        let name = registered.name.clone();
        let (stop, stopped) = watch::channel(false);
        let owned = Owned {
            core: self.core.clone(),
            registered,
            config: self.config,
            stop: stopped,
            ended: self.ended.0.clone(),
        };
        let running = Running { token: lease.token, stop, task: Task::spawn(owned.run(lease)) };
        self.running.insert(name, running);
    }

    /// Builds a newer version of a read model, when no process is at it yet.
    fn rebuild(&mut self, name: &str) {
        let Some(registered) = self.registered(name).cloned() else { return };
        let (core, config) = (self.core.clone(), self.config);
        self.rebuilding.entry(registered.name.clone()).or_insert_with(|| {
            Task::spawn(async move {
                let name = registered.name.clone();
                match rebuild(&core, &registered, config, &mut |_| {}).await {
                    Ok(_) => tracing::info!(projection = &*name, version = registered.version, "a new version serves"),
                    // the next beat looks again, and by then the other process may be done
                    Err(Error::RebuildLost { .. }) => {}
                    Err(error) => {
                        tracing::warn!(projection = &*name, %error, "could not build the new version; trying again")
                    }
                }
            })
        });
    }

    fn note(&mut self, ended: Ended) {
        if self.running.get(&ended.name).is_some_and(|it| it.token == ended.token) {
            self.running.remove(&ended.name);
        }
        let (first, longest) = (self.config.first_retry, self.config.longest_retry);
        let rest = self.resting.entry(ended.name).or_insert_with(|| (Backoff::new(first, longest), Instant::now()));
        if ended.moved || !ended.failed {
            rest.0.reset();
        }
        // one that was lost or handed over rests for a moment too, so that nobody takes turns at full speed
        rest.1 = Instant::now() + rest.0.next();
    }

    async fn leave(self) {
        for running in self.running.values() {
            running.stop.send_replace(true);
        }
        for (name, running) in self.running {
            if let Err(error) = running.task.join().await {
                tracing::error!(projection = &*name, %error, "a projection's task ended badly");
            }
        }
        let left = async {
            let mut conn = self.core.pool.acquire().await?;
            projections::leave_work(&mut conn, &self.core.texts, self.owner).await
        };
        if let Err(error) = left.await {
            tracing::warn!(%error, "could not give the projections back: their leases run out by themselves");
        }
    }
}
