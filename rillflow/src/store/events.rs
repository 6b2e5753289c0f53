//! Events by stream, typed or not.

use sqlx::PgConnection;

use crate::Result;
use crate::model::{Appended, Event, EventEnvelope, Expected, StreamKey};
use crate::runtime::SharedCore;
use crate::runtime::append::{append, append_on};
use crate::runtime::marks::Marks;
use crate::storage::{events, marks};

/// The events of a store.
#[derive(Clone, Copy, Debug)]
pub struct Events<'s> {
    pub(super) core: &'s SharedCore,
}

impl<'s> Events<'s> {
    pub(super) fn new(core: &'s SharedCore) -> Self {
        Self { core }
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
        &self,
        stream: impl StreamKey,
        expected: Expected,
        events: impl IntoIterator<Item = E>,
    ) -> Result<Appended> {
        let events = events.into_iter().map(Into::into);
        append(self.core, &events::Append::new(stream.stream_id(), "", expected, events)?).await
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
        &self,
        tx: &mut PgConnection,
        stream: impl StreamKey,
        expected: Expected,
        events: impl IntoIterator<Item = E>,
    ) -> Result<Appended> {
        let events = events.into_iter().map(Into::into);
        let request = events::Append::new(stream.stream_id(), "", expected, events)?;
        let appended = append_on(tx, self.core, &request).await?;
        Marks::appended(self.core, appended.position());
        Ok(appended)
    }

    /// Reads a stream from its first event.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn read_stream(&self, stream: impl StreamKey) -> Result<Vec<EventEnvelope>> {
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
    pub async fn read_all(&self, after: i64, limit: i64) -> Result<Vec<EventEnvelope>> {
        let mut conn = self.core.pool.acquire().await?;
        let mark = marks::safe_mark(&mut conn, &self.core.texts).await?.mark;
        events::read_all(&mut conn, &self.core.texts, after, mark, None, limit).await
    }
}
