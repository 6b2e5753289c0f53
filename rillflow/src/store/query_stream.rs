//! Results that are read as they arrive.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};

use super::Store;
use crate::Result;
use crate::model::JsonFormat;
use crate::model::query::Query;
use crate::runtime::{SharedCore, rows};
use crate::storage::queries;
use crate::storage::rows::{Decoded, Json, Reader, Statement};

/// Results of a query as they arrive, whatever their number: one is in memory at a time, and a slow reader makes the
/// server wait.
///
/// It is one statement, sent when the stream is first polled, and sees the database as it was then. From there on it
/// holds a connection, and on the server a snapshot that keeps VACUUM from the rows deleted since: do not leave it half
/// read. It borrows nothing, may be sent anywhere, and loses nothing when a `next()` is given up. Dropped early, it gives
/// its connection back, or closes it when much is still to come; nothing stays locked.
///
/// Its span `query` and its time begin with the first poll and end with the last row, an error, or the drop; what its
/// reader does between two rows is in that time. A drop counts as done, not as an error: the reader had enough.
#[must_use = "a stream reads nothing before it is polled"]
pub struct QueryStream<T>(BoxStream<'static, Result<T>>);

impl<T: Send + 'static> QueryStream<T> {
    pub(super) fn new(
        core: &SharedCore,
        collection: &str,
        statement: Result<Statement>,
        reader: impl Reader<Item = T> + 'static,
    ) -> Self {
        Self(rows::stream(core.clone(), collection.into(), statement, reader).boxed())
    }

    /// The results of a typed query.
    pub(super) fn typed(core: &SharedCore, query: impl Query<Vec<T>> + 'static) -> Self {
        Self::new(core, query.name(), queries::statement(&core.texts, &query), Decoded::new(query))
    }
}

impl<T> Stream for QueryStream<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl<T> fmt::Debug for QueryStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueryStream")
    }
}

impl Store {
    /// Runs a typed query for many rows and gives them as they arrive: however many there are, one is in memory.
    ///
    /// Each item may be an error: as of [`query`](Self::query); it is the last one then.
    ///
    /// ```no_run
    /// # use rillflow::{Document, Store};
    /// # #[derive(serde::Serialize, serde::Deserialize, Document)]
    /// # struct Note { #[document(id)] id: i64, title: String }
    /// # async fn example(store: Store) -> rillflow::Result<()> {
    /// use futures_util::TryStreamExt;
    ///
    /// let mut notes = store.query_stream(Note::query().order_by(|n| n.id.asc()));
    /// while let Some(note) = notes.try_next().await? {
    ///     println!("{}", note.title);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn query_stream<T: Send + 'static>(&self, query: impl Query<Vec<T>> + 'static) -> QueryStream<T> {
        QueryStream::typed(&self.core, query)
    }

    /// As [`query_stream`](Self::query_stream), with the rows as bytes of JSON that nobody parsed, some kilobytes at a
    /// time: an HTTP body, whose framework takes such a stream.
    ///
    /// An error in the midst is an item too; what was sent then is no whole array.
    ///
    /// ```no_run
    /// # use rillflow::{Document, JsonFormat, Store};
    /// # #[derive(serde::Serialize, serde::Deserialize, Document)]
    /// # struct Note { #[document(id)] id: i64, title: String }
    /// # fn example(store: Store) {
    /// let body = store.query_json_stream(Note::query(), JsonFormat::Lines);
    /// // axum: `Body::from_stream(body)`
    /// # drop(body);
    /// # }
    /// ```
    pub fn query_json_stream<T: Send + 'static>(
        &self,
        query: impl Query<Vec<T>> + 'static,
        format: JsonFormat,
    ) -> QueryStream<Vec<u8>> {
        QueryStream::new(&self.core, query.name(), queries::statement(&self.core.texts, &query), Json::new(format))
    }
}
