//! Snapshots: which aggregates have them, and the compaction that makes them in the background.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::SharedCore;
use super::aggregates::load;
use crate::model::{Aggregate, Snapshots, StreamId};
use crate::storage::snapshots::{self, SnapshotKey, Until};
use crate::{Error, Result};

/// What the application told the store about snapshots, over what the aggregates say themselves.
#[derive(Clone, Default)]
pub(crate) struct SnapshotPolicies(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl SnapshotPolicies {
    pub(crate) fn set<A: Aggregate>(&mut self, how: Snapshots<A>) {
        self.0.insert(TypeId::of::<A>(), Arc::new(how));
    }

    /// How an aggregate is kept, when it is.
    pub(crate) fn of<A: Aggregate>(&self) -> Option<Snapshots<A>> {
        let told = self.0.get(&TypeId::of::<A>()).and_then(|it| it.downcast_ref());
        told.copied().or(A::SNAPSHOTS).filter(Snapshots::are_kept)
    }
}

impl fmt::Debug for SnapshotPolicies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SnapshotPolicies({})", self.0.len())
    }
}

/// What an aggregate's snapshots are kept under: the one place that says what a shape is.
pub(crate) fn key<A: Aggregate>() -> SnapshotKey {
    SnapshotKey { aggregate: A::NAME, fingerprint: A::FINGERPRINT }
}

/// Keeps a state, unless a newer one is there.
pub(crate) async fn put<A: Aggregate>(
    core: &SharedCore,
    how: &Snapshots<A>,
    stream_id: StreamId,
    version: i64,
    state: &A,
) -> Result<()> {
    let state = how.encode(state)?;
    let mut conn = core.pool.acquire().await?;
    snapshots::put(&mut conn, &core.texts, stream_id, key::<A>(), version, state).await
}

/// When and how the [`Snapshotter`] works.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotterConfig {
    /// How many events since the last snapshot make a new one worth its while.
    pub threshold_events: u32,
    /// How many streams one tick compacts at most.
    pub batch_size: u32,
}

impl Default for SnapshotterConfig {
    fn default() -> Self {
        Self { threshold_events: 200, batch_size: 200 }
    }
}

/// What a compaction did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Compaction {
    /// How many streams got a new snapshot.
    pub compacted: u64,
    /// The streams that cannot be folded, and why. They are passed over until their events can be read again.
    pub failures: Vec<(StreamId, Error)>,
}

/// How much there is to compact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotterMetrics {
    /// How many streams have at least the threshold of events since their last snapshot.
    pub candidates: i64,
    /// How many events any stream has since its last snapshot, at most.
    pub max_gap: i64,
}

/// Compacts the streams of one aggregate: folds those with a long tail, and keeps their state as a snapshot.
///
/// Only streams whose category is the aggregate's are read. Any number may run at once, here and elsewhere: a snapshot
/// never replaces a newer one.
///
/// ```no_run
/// # use rillflow::{Aggregate, Event, handlers};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # pub struct Inc;
/// # #[derive(Event)]
/// # pub enum CounterEvent { Inc(Inc) }
/// # #[derive(Default, serde::Serialize, serde::Deserialize, Aggregate)]
/// # #[aggregate(events = CounterEvent)]
/// # pub struct Counter { n: i64 }
/// # #[handlers]
/// # impl Counter { fn on_inc(&mut self, _: &Inc) { self.n += 1; } }
/// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
/// use rillflow::{AggregateRepository, Snapshotter, SnapshotterConfig};
///
/// let counters = AggregateRepository::<Counter>::new(store.events());
/// let config = SnapshotterConfig { threshold_events: 200, ..Default::default() };
/// let done = Snapshotter::new(counters, config).run_until_idle().await?;
/// println!("{} streams compacted", done.compacted);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Snapshotter<A> {
    core: SharedCore,
    how: Snapshots<A>,
    config: SnapshotterConfig,
    /// Where the next tick goes on.
    after: Mutex<Option<StreamId>>,
}

impl<A: Aggregate> Snapshotter<A> {
    pub(crate) fn over(core: SharedCore, how: Snapshots<A>, config: SnapshotterConfig) -> Self {
        Self { core, how, config, after: Mutex::default() }
    }

    /// Compacts one batch and goes on behind it with the next tick; at the end it begins again.
    ///
    /// # Errors
    ///
    /// Those of the database. A stream that cannot be folded is reported in the result and passed over.
    pub async fn tick_once(&self) -> Result<Compaction> {
        let after = *self.after.lock().unwrap_or_else(PoisonError::into_inner);
        let mut done = Compaction::default();
        let next = self.batch(after, &mut done).await?;
        *self.after.lock().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(done)
    }

    /// Compacts every stream that is due, in one pass over them, and ends.
    ///
    /// # Errors
    ///
    /// As [`tick_once`](Self::tick_once).
    pub async fn run_until_idle(&self) -> Result<Compaction> {
        let mut done = Compaction::default();
        let mut after = self.batch(None, &mut done).await?;
        // the pass only goes forward, so streams that grow behind it do not keep it going
        while after.is_some() {
            after = self.batch(after, &mut done).await?;
        }
        Ok(done)
    }

    /// How much there is to compact: one look at all streams of the category.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn metrics(&self) -> Result<SnapshotterMetrics> {
        let mut conn = self.core.pool.acquire().await?;
        let threshold = i64::from(self.config.threshold_events.max(1));
        let (candidates, max_gap) =
            snapshots::metrics(&mut conn, &self.core.texts, A::STREAM, key::<A>(), threshold).await?;
        Ok(SnapshotterMetrics { candidates, max_gap })
    }

    /// Compacts the streams after an id, and says behind which to go on.
    async fn batch(&self, after: Option<StreamId>, done: &mut Compaction) -> Result<Option<StreamId>> {
        let threshold = i64::from(self.config.threshold_events.max(1));
        let limit = i64::from(self.config.batch_size.max(1));
        let mut conn = self.core.pool.acquire().await?;
        let key = key::<A>();
        let due = snapshots::to_compact(&mut conn, &self.core.texts, A::STREAM, key, threshold, after, limit).await?;
        drop(conn);
        for &stream_id in &due {
            match self.compact(stream_id).await {
                Ok(()) => done.compacted += 1,
                Err(error @ (Error::UnknownEvent { .. } | Error::Decode { .. } | Error::Encode { .. })) => {
                    tracing::warn!(%error, %stream_id, aggregate = A::NAME, "a stream cannot be compacted");
                    done.failures.push((stream_id, error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(due.last().copied())
    }

    async fn compact(&self, stream_id: StreamId) -> Result<()> {
        let loaded = load::<A>(&self.core, stream_id, Some(&self.how), Until::Latest).await?;
        put(&self.core, &self.how, stream_id, loaded.version, &loaded.state).await
    }
}
