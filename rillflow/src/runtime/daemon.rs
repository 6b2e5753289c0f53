//! The daemon: takes its share of the projections, runs them behind the appends, and gives them back.

use std::time::Duration;

use tokio::sync::watch;

use super::listener::{Listener, Listening};
use super::marks::Marks;
use super::tender::Tender;
use super::{SharedCore, Task, inline};
use crate::Result;
use crate::storage::projections;

/// How projections are run.
///
/// ```
/// use std::time::Duration;
/// let mut config = rillflow::DaemonConfig::default();
/// config.lease_ttl = Duration::from_secs(5);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DaemonConfig {
    /// How many events one batch holds at most. Batches begin small, and grow while they are fast.
    pub batch_size: i64,
    /// How long a projection stays with an owner that is not heard of. After a crash another process takes over within
    /// four thirds of it. Also the longest that one call of an async handler may take.
    pub lease_ttl: Duration,
    /// The pause after a first failure. It doubles with each.
    pub first_retry: Duration,
    /// The longest pause between two tries.
    pub longest_retry: Duration,
    /// How often an event is tried before it becomes a dead letter, where the projection's
    /// [`OnFailure`](crate::projections::OnFailure) says so.
    pub max_attempts: u32,
    /// How many readers build a read model anew at the same time, where its documents are told apart by stream
    /// (`key = stream`); 1 by default. Each reads through the whole log for its part of it, which PostgreSQL has to tell
    /// apart: more than one pay off where handlers are slow, or where the server has cores to spare. A rebuild that was
    /// begun goes on with as many as it began with.
    pub rebuild_readers: i32,
}

impl Default for DaemonConfig {
    fn default() -> Self {
        Self {
            batch_size: 1000,
            lease_ttl: Duration::from_secs(15),
            first_retry: Duration::from_millis(100),
            longest_retry: Duration::from_secs(30),
            max_attempts: 5,
            rebuild_readers: 1,
        }
    }
}

/// The running async projections of a store.
///
/// Any number of processes may run one: each projection has one owner at a time, and each process takes its share.
/// Dropping it stops its tasks where they are, which loses nothing; [`shutdown`](Self::shutdown) also hands the
/// projections over at once.
#[derive(Debug)]
#[must_use = "the daemon stops when it is dropped"]
pub struct Daemon {
    stop: watch::Sender<bool>,
    tender: Task,
    _listening: Listening,
    /// So that the mark is looked at, and its metrics told, where others own every projection too.
    _following: Option<watch::Receiver<i64>>,
}

impl Daemon {
    pub(crate) async fn start(core: &SharedCore, config: DaemonConfig) -> Result<Self> {
        Self::begin(core, config, true).await
    }

    /// One of many: the mark is looked at for those who own a projection here.
    pub(super) async fn start_among(core: &SharedCore, config: DaemonConfig) -> Result<Self> {
        Self::begin(core, config, false).await
    }

    async fn begin(core: &SharedCore, config: DaemonConfig, alone: bool) -> Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let mut conn = core.pool.acquire().await?;
        for registered in core.behind() {
            projections::register(&mut conn, &core.texts, registered).await?;
        }
        inline::register(&mut conn, core, &core.texts).await?;
        drop(conn);
        let tender = Tender::new(core.clone(), config, stopped);
        let (listening, following) = (Listener::share(core), alone.then(|| Marks::follow(core)));
        Ok(Self { stop, tender: Task::spawn(tender.run()), _listening: listening, _following: following })
    }

    /// Stops after the batches in hand, and gives every projection to whoever asks next.
    pub async fn shutdown(self) {
        // an error means that the task has ended already
        if self.stop.send(true).is_ok()
            && let Err(error) = self.tender.join().await
        {
            tracing::error!(%error, "the daemon's task ended badly");
        }
    }
}
