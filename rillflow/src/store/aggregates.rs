//! One aggregate: load it, decide on it.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::Result;
use crate::model::{Aggregate, Appended, Expected, StreamId};
use crate::runtime::SharedCore;
use crate::runtime::aggregates::{Loaded, Rules, append_events, append_events_on, load, load_on};
use crate::runtime::decide::{self, DecideError, Decided};
use crate::storage::snapshots::Until;
use crate::storage::streams;

/// One aggregate of a store.
#[derive(Debug)]
pub struct Aggregates<'s, A> {
    core: &'s SharedCore,
    stream_id: StreamId,
    aggregate: PhantomData<fn() -> A>,
}

// derived, they would ask the same of the aggregate
impl<A> Copy for Aggregates<'_, A> {}

impl<A> Clone for Aggregates<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'s, A: Aggregate> Aggregates<'s, A> {
    pub(super) fn new(core: &'s SharedCore, stream_id: StreamId) -> Self {
        Self { core, stream_id, aggregate: PhantomData }
    }

    /// The stream it is folded from.
    #[must_use]
    pub fn stream_id(&self) -> StreamId {
        self.stream_id
    }

    /// Folds the stream, straight from the bytes of its events; with snapshots, of the newest one and the events behind
    /// it. One statement. A stream that is not there gives the default state.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownEvent`](crate::Error::UnknownEvent) when the stream holds an event this program cannot read:
    /// state built on a part of the history would be wrong.
    pub async fn load(self) -> Result<Loaded<A>> {
        self.load_until(Until::Latest).await
    }

    /// As [`load`](Self::load), as the aggregate was at a version. One that the stream has not reached gives the latest.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub async fn load_at(self, version: i64) -> Result<Loaded<A>> {
        self.load_until(Until::Version(version)).await
    }

    /// As [`load`](Self::load), as the aggregate was at a time: with every event before the first one recorded later.
    ///
    /// An event's time is the server's when its transaction began. Looks at the times of the whole stream.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub async fn load_as_of(self, time: DateTime<Utc>) -> Result<Loaded<A>> {
        self.load_until(Until::Time(time)).await
    }

    async fn load_until(self, until: Until) -> Result<Loaded<A>> {
        load(self.core, self.stream_id, self.core.snapshots.of::<A>().as_ref(), until).await
    }

    /// Whether its stream has begun and was not deleted.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn exists(self) -> Result<bool> {
        let mut conn = self.core.pool.acquire().await?;
        streams::exists(&mut conn, &self.core.texts, self.stream_id).await
    }

    /// Loads the aggregate, asks `decision` which events to append, and appends them if nobody else did meanwhile;
    /// otherwise loads and asks again.
    ///
    /// `decision` may be asked several times, so it should do nothing but decide. An empty answer appends nothing.
    /// Two statements; one more when a snapshot is due, which is kept behind the append.
    ///
    /// # Errors
    ///
    /// [`DecideError::Rejected`] with the application's own error; [`DecideError::Store`] when loading or appending
    /// fails, also with a conflict after 20 lost races, and with [`Error::Invalid`](crate::Error::Invalid) when the
    /// aggregate's validator refuses the new state. An append whose outcome is unknown is never tried again.
    pub async fn decide<E>(
        self,
        decision: impl FnMut(&A) -> Result<Vec<A::Event>, E>,
    ) -> Result<Decided<A>, DecideError<E>> {
        decide::decide(self.core, self.stream_id, &Rules::of(self.core), decision).await
    }

    /// Appends events that are known already, such as those of a version that the caller loaded.
    ///
    /// One statement. An aggregate with a validator is loaded first, as the validator looks at what the events lead to.
    ///
    /// # Errors
    ///
    /// As [`Events::append_stream`](super::Events::append_stream), and [`Error::Invalid`](crate::Error::Invalid).
    pub async fn append(self, expected: Expected, events: Vec<A::Event>) -> Result<Appended> {
        append_events(self.core, self.stream_id, expected, &events, &Rules::<A>::of(self.core)).await
    }

    /// As [`load`](Self::load), in the caller's own transaction: with what it appended before.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub async fn load_in_tx(self, tx: &mut PgConnection) -> Result<Loaded<A>> {
        self.core.join(tx).await?;
        let snapshots = self.core.snapshots.of::<A>();
        load_on(tx, self.core, self.stream_id, snapshots.as_ref(), Until::Latest).await
    }

    /// As [`decide`](Self::decide), in the caller's own transaction: nothing is there before that commits.
    ///
    /// The stream stays locked until then, and readers of all streams wait for it: keep what follows short. No snapshot
    /// is kept. When others append first, it loads and asks again, which needs READ COMMITTED.
    ///
    /// ```no_run
    /// # use rillflow::{Aggregate, Event, handlers};
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # pub struct Inc;
    /// # #[derive(Event)]
    /// # pub enum CounterEvent { Inc(Inc) }
    /// # #[derive(Default, Aggregate)]
    /// # #[aggregate(events = CounterEvent)]
    /// # pub struct Counter { n: i64 }
    /// # #[handlers]
    /// # impl Counter { fn on_inc(&mut self, _: &Inc) { self.n += 1; } }
    /// # async fn take_from_stock(tx: &mut sqlx::PgConnection) -> rillflow::Result<()> { Ok(()) }
    /// # async fn example(store: rillflow::Store, id: uuid::Uuid) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut tx = store.begin().await?;
    /// take_from_stock(&mut tx).await?; // the application's own SQL
    /// let counter = store.aggregate::<Counter>(id);
    /// counter.decide_in_tx(&mut tx, |it| if it.n < 9 { Ok(vec![CounterEvent::Inc(Inc)]) } else { Err("enough") }).await?;
    /// tx.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`decide`](Self::decide). After [`Error::Contention`](crate::Error::Contention), roll back and begin again.
    pub async fn decide_in_tx<E>(
        self,
        tx: &mut PgConnection,
        decision: impl FnMut(&A) -> Result<Vec<A::Event>, E>,
    ) -> Result<Decided<A>, DecideError<E>> {
        self.core.join(tx).await?;
        decide::decide_in(tx, self.core, self.stream_id, decision).await
    }

    /// As [`append`](Self::append), in the caller's own transaction, and under the aggregate's validator.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append). After [`Error::Contention`](crate::Error::Contention), roll back and begin again.
    pub async fn append_in_tx(
        self,
        tx: &mut PgConnection,
        expected: Expected,
        events: Vec<A::Event>,
    ) -> Result<Appended> {
        self.core.join(tx).await?;
        append_events_on::<A>(tx, self.core, self.stream_id, expected, &events).await
    }
}
