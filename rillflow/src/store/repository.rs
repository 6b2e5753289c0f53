//! The aggregates of one type, with what the application adds to them.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Events;
use crate::model::{Aggregate, Appended, Expected, Json, Snapshots, StreamKey};
use crate::runtime::SharedCore;
use crate::runtime::aggregates::{Loaded, Rules, append_events, append_to, load};
use crate::runtime::decide::{self, DecideError, Decided};
use crate::runtime::snapshots::{Snapshotter, SnapshotterConfig};
use crate::storage::snapshots::Until;
use crate::{BoxError, Result};

/// The aggregates of one type: as [`Store::aggregate`](crate::Store::aggregate), to be kept and handed around, with
/// validators and snapshots of its own.
///
/// ```no_run
/// # use rillflow::{Aggregate, Event, handlers};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # pub struct Inc { pub by: i64 }
/// # #[derive(Event)]
/// # pub enum CounterEvent { Inc(Inc) }
/// # #[derive(Clone, Default, serde::Serialize, serde::Deserialize, Aggregate)]
/// # #[aggregate(events = CounterEvent)]
/// # pub struct Counter { n: i64 }
/// # #[handlers]
/// # impl Counter { fn on_inc(&mut self, e: &Inc) { self.n += e.by; } }
/// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
/// use rillflow::{AggregateRepository, Expected};
///
/// fn never_negative(counter: &Counter) -> Result<(), String> {
///     if counter.n < 0 { Err(format!("{} is negative", counter.n)) } else { Ok(()) }
/// }
///
/// let counters = AggregateRepository::<Counter>::new(store.events()).with_validator(never_negative);
/// let id = uuid::Uuid::now_v7();
/// counters.commit(id, Expected::NoStream, vec![CounterEvent::Inc(Inc { by: 2 })]).await?;
///
/// let counter = counters.load_with_snapshot(id).await?;
/// counters.commit_and_snapshot(id, &counter, vec![CounterEvent::Inc(Inc { by: 1 })], 100).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AggregateRepository<A> {
    core: SharedCore,
    rules: Rules<A>,
}

impl<A: Aggregate> AggregateRepository<A> {
    /// The aggregates among the events of a store.
    #[must_use]
    pub fn new(events: Events<'_>) -> Self {
        Self { core: events.core.clone(), rules: Rules::of(events.core) }
    }

    /// Looks at the state that events lead to before they are appended, beside the aggregate's own validator.
    ///
    /// Its error reaches the caller as the source of [`Error::Invalid`](crate::Error::Invalid).
    #[must_use]
    pub fn with_validator<E: Into<BoxError>>(
        mut self,
        validator: impl Fn(&A) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        self.rules.validators.push(Arc::new(move |state| validator(state).map_err(Into::into)));
        self
    }

    /// As [`Aggregates::load`](super::Aggregates::load).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn load(&self, id: impl StreamKey) -> Result<Loaded<A>> {
        load(&self.core, id.stream_id(), self.rules.snapshots.as_ref(), Until::Latest).await
    }

    /// Appends events and returns where they are.
    ///
    /// # Errors
    ///
    /// As [`Aggregates::append`](super::Aggregates::append).
    pub async fn commit(&self, id: impl StreamKey, expected: Expected, events: Vec<A::Event>) -> Result<Appended> {
        append_events(&self.core, id.stream_id(), expected, &events, &self.rules).await
    }

    /// Appends events to what was loaded, if nobody else did meanwhile, and returns what they lead to.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit), and [`Error::VersionConflict`](crate::Error::VersionConflict) when somebody did.
    pub async fn commit_for_aggregate(
        &self,
        id: impl StreamKey,
        aggregate: Loaded<A>,
        events: Vec<A::Event>,
    ) -> Result<Loaded<A>> {
        if events.is_empty() {
            return Ok(aggregate);
        }
        let (appended, state) = append_to(&self.core, id.stream_id(), aggregate, &events, &self.rules).await?;
        Ok(Loaded { state, version: appended.version })
    }

    /// As [`Aggregates::decide`](super::Aggregates::decide), with the validators of this repository.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn decide<E>(
        &self,
        id: impl StreamKey,
        decision: impl FnMut(&A) -> Result<Vec<A::Event>, E>,
    ) -> Result<Decided<A>, DecideError<E>> {
        decide::decide(&self.core, id.stream_id(), &self.rules, decision).await
    }
}

impl<A: Aggregate + Serialize + DeserializeOwned> AggregateRepository<A> {
    /// Loads the newest snapshot and the events behind it in one statement, also when the aggregate itself does not ask
    /// for snapshots.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub async fn load_with_snapshot(&self, id: impl StreamKey) -> Result<Loaded<A>> {
        load(&self.core, id.stream_id(), Some(&Snapshots::every::<Json>(0)), Until::Latest).await
    }

    /// Appends events to what was loaded, if nobody else did meanwhile, and keeps a snapshot of the state they lead to
    /// when the stream crossed a multiple of `every` events.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit). A snapshot that cannot be kept is no error: the events are appended.
    pub async fn commit_and_snapshot(
        &self,
        id: impl StreamKey,
        aggregate: &Loaded<A>,
        events: Vec<A::Event>,
        every: u32,
    ) -> Result<Loaded<A>>
    where
        A: Clone,
    {
        if events.is_empty() {
            return Ok(aggregate.clone());
        }
        let rules = Rules { snapshots: Some(Snapshots::every::<Json>(every)), ..self.rules.clone() };
        let (appended, state) = append_to(&self.core, id.stream_id(), aggregate.clone(), &events, &rules).await?;
        Ok(Loaded { state, version: appended.version })
    }
}

impl<A: Aggregate + Serialize + DeserializeOwned> Snapshotter<A> {
    /// Compacts the aggregates of a repository.
    #[must_use]
    pub fn new(repository: AggregateRepository<A>, config: SnapshotterConfig) -> Self {
        Self::over(repository.core, Snapshots::every::<Json>(0), config)
    }
}
