//! Events by stream, typed or not.

use std::time::Duration;

use sqlx::PgConnection;

use super::AppendBuilder;
use crate::Result;
use crate::model::{AppendOptions, Appended, Event, EventEnvelope, Expected, StreamKey};
use crate::runtime::SharedCore;
use crate::runtime::append::{append, append_in_tx, append_locked};
use crate::runtime::marks::Marks;
use crate::storage::append::{Append, forget_keys};
use crate::storage::{events, marks};

/// The events of a store.
#[derive(Clone, Copy, Debug)]
pub struct Events<'s> {
    pub(super) core: &'s SharedCore,
    locked: bool,
}

impl<'s> Events<'s> {
    pub(super) fn new(core: &'s SharedCore) -> Self {
        Self { core, locked: false }
    }

    /// Appends events to a stream in one round trip: all of them, or none.
    ///
    /// Takes the variants of an enum that derives `Event`, or [`Event::new`]. Inline projections commit with it.
    ///
    /// ```no_run
    /// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
    /// use rillflow::{Event, Expected};
    ///
    /// let id = uuid::Uuid::now_v7();
    /// let appended = store.events().append_stream(id, Expected::NoStream, [Event::new("Inc", &2)]).await?;
    /// assert_eq!(appended.version, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::VersionConflict`](crate::Error::VersionConflict) when the stream is not as expected;
    /// [`Error::Encode`](crate::Error::Encode) when a payload does not serialise. Nothing is written then, and no
    /// position is used up.
    pub async fn append_stream<E: Into<Event>>(
        self,
        stream: impl StreamKey,
        expected: Expected,
        events: impl IntoIterator<Item = E>,
    ) -> Result<Appended> {
        self.append_with(stream, expected, events, &AppendOptions::default()).await
    }

    /// As [`append_stream`](Self::append_stream), with headers, causation, correlation, an idempotency key.
    ///
    /// # Errors
    ///
    /// As [`append_stream`](Self::append_stream); and [`Error::IdempotencyConflict`](crate::Error::IdempotencyConflict)
    /// when the key, or the id of an event, was used before for other events;
    /// [`Error::OutcomeUnknown`](crate::Error::OutcomeUnknown) when the connection broke meanwhile.
    pub async fn append_with<E: Into<Event>>(
        self,
        stream: impl StreamKey,
        expected: Expected,
        events: impl IntoIterator<Item = E>,
        options: &AppendOptions,
    ) -> Result<Appended> {
        let events = events.into_iter().map(Into::into);
        self.send(Append::new(stream.stream_id(), "", expected, options, events)?).await
    }

    pub(super) async fn send(self, mut request: Append) -> Result<Appended> {
        if self.locked { append_locked(self.core, &mut request).await } else { append(self.core, request).await }
    }

    /// Begins an append that is put together step by step.
    pub fn builder(&self, stream: impl StreamKey) -> AppendBuilder<'s> {
        AppendBuilder::new(*self, stream.stream_id())
    }

    /// Makes appends of this value wait for each other per stream before they look at it, instead of racing for it.
    ///
    /// Worth it only where writers of one stream lose to each other all the time: it costs a transaction of its own.
    #[must_use]
    pub fn with_advisory_locks(self) -> Self {
        Self { locked: true, ..self }
    }

    /// Forgets idempotency keys that are older than `age`, and says how many. A repeat after that appends again.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn forget_idempotency_keys(self, age: Duration) -> Result<u64> {
        let mut conn = self.core.pool.acquire().await?;
        forget_keys(&mut conn, &self.core.texts, age).await
    }

    /// As [`append_stream`](Self::append_stream), in the caller's own transaction: nothing is there before it commits.
    ///
    /// The stream stays locked until then, and readers of all streams wait for it: keep what follows short.
    ///
    /// # Errors
    ///
    /// As [`append_stream`](Self::append_stream). After [`Error::Contention`](crate::Error::Contention), roll back and
    /// begin again.
    pub async fn append_in_tx<E: Into<Event>>(
        self,
        tx: &mut PgConnection,
        stream: impl StreamKey,
        expected: Expected,
        events: impl IntoIterator<Item = E>,
    ) -> Result<Appended> {
        let (options, events) = (AppendOptions::default(), events.into_iter().map(Into::into));
        let mut request = Append::new(stream.stream_id(), "", expected, &options, events)?;
        self.core.join(tx).await?;
        let appended = append_in_tx(tx, self.core, &mut request).await?;
        Marks::appended(self.core, appended.position());
        Ok(appended)
    }

    /// Reads a stream from its first event.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn read_stream(self, stream: impl StreamKey) -> Result<Vec<EventEnvelope>> {
        let mut conn = self.core.pool.acquire().await?;
        events::read_stream(&mut conn, &self.core.texts, stream.stream_id(), 0, i64::MAX).await
    }

    /// Reads up to `limit` events of all streams after a position, in their global order.
    ///
    /// Never reads past an append that is still open: an event that comes later has a higher position.
    ///
    /// # Errors
    ///
    /// As [`read_stream`](Self::read_stream).
    pub async fn read_all(self, after: i64, limit: i64) -> Result<Vec<EventEnvelope>> {
        let mut conn = self.core.pool.acquire().await?;
        let mark = marks::safe_mark(&mut conn, &self.core.texts).await?.mark;
        events::read_all(&mut conn, &self.core.texts, after, mark, None, limit).await
    }

    /// The position up to which the global order is settled: no event can appear at or below it any more.
    ///
    /// # Errors
    ///
    /// As [`read_stream`](Self::read_stream).
    pub async fn safe_mark(self) -> Result<i64> {
        let mut conn = self.core.pool.acquire().await?;
        Ok(marks::safe_mark(&mut conn, &self.core.texts).await?.mark)
    }
}
