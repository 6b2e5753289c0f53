//! The daemon: starts, and stops, what runs behind the appends.

use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

use super::projector::Projector;
use super::{SharedCore, Task, listener};
use crate::Result;
use crate::model::Lifecycle;
use crate::storage::projections;

/// How the daemon works.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DaemonConfig {
    /// How many events one batch holds at most.
    pub batch_size: i64,
    /// How long a projection stays with an owner that is not heard of: the time a take-over needs after a crash.
    pub lease_ttl: Duration,
    /// The pause after a first failure. It doubles with each.
    pub first_retry: Duration,
    /// The longest pause between two tries.
    pub longest_retry: Duration,
}

impl Default for DaemonConfig {
    fn default() -> Self {
        Self {
            batch_size: 500,
            lease_ttl: Duration::from_secs(15),
            first_retry: Duration::from_millis(100),
            longest_retry: Duration::from_secs(30),
        }
    }
}

/// Who hears the marks that others publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    /// The daemon itself, on a connection of its own.
    Here,
    /// Somebody who hears them for many stores.
    Elsewhere,
}

/// The running async projections of a store.
///
/// Any number of processes may run one: each projection has one owner at a time. Dropping it stops its tasks where they
/// are, which loses nothing; [`shutdown`](Self::shutdown) also hands the projections over at once.
#[derive(Debug)]
#[must_use = "the daemon stops when it is dropped"]
pub struct Daemon {
    stop: watch::Sender<bool>,
    projectors: Vec<Task>,
    _listener: Option<Task>,
}

impl Daemon {
    pub(crate) async fn start(core: &SharedCore, config: DaemonConfig) -> Result<Self> {
        Self::start_hearing(core, config, Hearing::Here).await
    }

    pub(super) async fn start_hearing(core: &SharedCore, config: DaemonConfig, hearing: Hearing) -> Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let owner = Uuid::new_v4();
        let mut projectors = Vec::new();
        let mut conn = core.pool.acquire().await?;
        for registered in core.projections.iter().filter(|it| it.lifecycle == Lifecycle::Async) {
            let projection = registered.projection.clone();
            projections::register(&mut conn, &core.texts, projection.name(), projection.version()).await?;
            let projector = Projector { core: core.clone(), projection, owner, config, stop: stopped.clone() };
            projectors.push(Task::spawn(projector.run()));
        }
        let listener = (hearing == Hearing::Here).then(|| Task::spawn(listener::listen(core.clone())));
        Ok(Self { stop, projectors, _listener: listener })
    }

    /// Stops after the batches in hand, and gives every projection to whoever asks next.
    pub async fn shutdown(self) {
        // an error means that every projector has ended already
        if self.stop.send(true).is_ok() {
            for projector in self.projectors {
                if let Err(error) = projector.join().await {
                    tracing::error!(%error, "a projection's task ended badly");
                }
            }
        }
    }
}
