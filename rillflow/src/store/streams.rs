//! Streams as a whole: their state, archive, deletion, aliases.

use uuid::Uuid;

use super::{Events, Store};
use crate::Result;
use crate::model::{StreamKey, StreamState};
use crate::runtime::aliases;
use crate::storage::streams;

impl Events<'_> {
    /// What is known of a stream without reading its events; `None` when it never began. A deleted one is known too.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn stream_state(self, stream: impl StreamKey) -> Result<Option<StreamState>> {
        let mut conn = self.core.pool.acquire().await?;
        streams::state(&mut conn, &self.core.texts, stream.stream_id()).await
    }

    /// Whether there is such a stream: one that has begun and was not deleted.
    ///
    /// # Errors
    ///
    /// As [`stream_state`](Self::stream_state).
    pub async fn stream_exists(self, stream: impl StreamKey) -> Result<bool> {
        let mut conn = self.core.pool.acquire().await?;
        streams::exists(&mut conn, &self.core.texts, stream.stream_id()).await
    }

    /// Closes a stream: it stays readable, and refuses appends until it is [restored](Self::restore_stream).
    ///
    /// Waits for an append to it that is open. To archive an archived stream changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::StreamNotFound`](crate::Error::StreamNotFound), [`Error::StreamDeleted`](crate::Error::StreamDeleted).
    pub async fn archive_stream(self, stream: impl StreamKey) -> Result<()> {
        let mut conn = self.core.pool.acquire().await?;
        streams::archive(&mut conn, &self.core.texts, stream.stream_id()).await
    }

    /// Opens an archived stream to appends again. To restore an open stream changes nothing.
    ///
    /// # Errors
    ///
    /// As [`archive_stream`](Self::archive_stream): a deleted stream does not come back.
    pub async fn restore_stream(self, stream: impl StreamKey) -> Result<()> {
        let mut conn = self.core.pool.acquire().await?;
        streams::restore(&mut conn, &self.core.texts, stream.stream_id()).await
    }

    /// Deletes a stream for good: its events and snapshots go, in one transaction.
    ///
    /// What stays is a tombstone with the version it had: the id is never used again, and appends to it get
    /// [`Error::StreamDeleted`](crate::Error::StreamDeleted). Read models are not told; a projection that is built anew
    /// will not see these events. Waits for an append to the stream that is open. To delete it twice changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::StreamNotFound`](crate::Error::StreamNotFound).
    pub async fn delete_stream(self, stream: impl StreamKey) -> Result<()> {
        let mut conn = self.core.pool.acquire().await?;
        streams::delete(&mut conn, &self.core.texts, stream.stream_id()).await
    }
}

impl Store {
    /// The id of the stream that people call `alias`; made when nobody asked for it before.
    ///
    /// Whoever asks for the same alias, here or elsewhere, at whatever time, gets the same id. An alias seen by this
    /// store is not asked for again. The stream begins with its first event.
    ///
    /// ```no_run
    /// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
    /// use rillflow::{Event, Expected};
    ///
    /// let id = store.resolve_stream_alias("orders:42").await?;
    /// store.events().append_stream(id, Expected::Any, [Event::new("OrderPlaced", &())]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn resolve_stream_alias(&self, alias: &str) -> Result<Uuid> {
        aliases::resolve(&self.core, alias).await
    }

    /// The id of the stream that people call `alias`, when somebody asked for it before. Makes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn find_stream_alias(&self, alias: &str) -> Result<Option<Uuid>> {
        let mut conn = self.core.pool.acquire().await?;
        streams::find_alias(&mut conn, &self.core.texts, alias).await
    }
}
