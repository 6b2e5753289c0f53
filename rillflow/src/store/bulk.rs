//! Many documents at once.

use std::fmt;
use std::pin::Pin;

use futures_util::{Stream, StreamExt, stream};
use sqlx::{Connection as _, PgConnection};

use super::Docs;
use super::collection::Access;
use super::docs::encode;
use crate::model::Document;
use crate::observe::operation;
use crate::runtime::connections::Connection;
use crate::storage::bulk;
use crate::{Error, Result};

/// What a bulk insert does with a document whose id is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BulkMode {
    /// It is [`Error::AlreadyExists`], and nothing is stored at all. The fastest: rows go straight into the table.
    #[default]
    InsertOnly,
    /// It is passed over; of several with one id the first is stored. A soft-deleted document keeps its id.
    IgnoreDuplicates,
    /// It is replaced, as by [`put`](Docs::put); of several with one id the last is stored.
    Overwrite,
}

/// What a bulk insert did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkInserted {
    /// How many documents were sent.
    pub sent: u64,
    /// How many of them were stored; the others were duplicates.
    pub written: u64,
}

/// A bulk insert to be.
#[must_use = "nothing happens before `run().await`"]
pub struct BulkInsert<'s, S> {
    access: Access<'s>,
    documents: S,
    mode: BulkMode,
    progress: Box<dyn FnMut(u64) + Send + 's>,
}

impl<'s> Docs<'s> {
    /// Stores many documents in one transaction, by COPY: all of them, or none.
    ///
    /// Takes them as they come, a few hundred kilobytes at a time, so any number of them fits into memory.
    ///
    /// ```no_run
    /// # use rillflow::{BulkMode, Document, Store};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Document)]
    /// # struct Note { #[document(id)] id: i64, title: String }
    /// # async fn example(store: Store) -> rillflow::Result<()> {
    /// let notes = (0..10_000).map(|id| Note { id, title: format!("note {id}") });
    /// let done = store
    ///     .docs()
    ///     .bulk_insert(notes)
    ///     .mode(BulkMode::IgnoreDuplicates)
    ///     .on_progress(|sent| println!("{sent} sent"))
    ///     .run()
    ///     .await?;
    /// println!("{} of {} were new", done.written, done.sent);
    /// # Ok(())
    /// # }
    /// ```
    pub fn bulk_insert<D, I>(&self, documents: I) -> BulkInsert<'s, stream::Iter<I::IntoIter>>
    where
        D: Document,
        I: IntoIterator<Item = D>,
    {
        self.bulk_insert_stream(stream::iter(documents))
    }

    /// As [`bulk_insert`](Self::bulk_insert), of documents that arrive over time. The transaction is open meanwhile.
    pub fn bulk_insert_stream<D: Document, S: Stream<Item = D>>(&self, documents: S) -> BulkInsert<'s, S> {
        BulkInsert { access: self.of::<D>(), documents, mode: BulkMode::default(), progress: Box::new(|_| {}) }
    }
}

impl<'s, D: Document, S: Stream<Item = D> + Send> BulkInsert<'s, S> {
    /// What to do with a document whose id is taken.
    pub fn mode(mut self, mode: BulkMode) -> Self {
        self.mode = mode;
        self
    }

    /// Calls `progress` with the number of documents sent so far, every few hundred kilobytes and at the end.
    pub fn on_progress(mut self, progress: impl FnMut(u64) + Send + 's) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// Stores the documents. Dropping the future stores none of them.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyExists`], [`Error::UniqueViolation`], [`Error::ForeignKeyViolation`], [`Error::Payload`] for a
    /// document that cannot be stored, [`Error::DocDeleted`] for one that would overwrite a soft-deleted one. Nothing is
    /// stored then.
    pub async fn run(self) -> Result<BulkInserted> {
        operation!(self.access.core, "bulk_insert", self.access.collection.name).run(self.send_all()).await
    }

    async fn send_all(self) -> Result<BulkInserted> {
        let Self { access, documents, mode, progress } = self;
        let mut conn = Exclusive::new(access.core.pool.acquire().await?);
        let mut sending = Sending { access, documents: Box::pin(documents), progress };
        let done = match mode {
            // COPY does not go past row level security
            BulkMode::InsertOnly if access.core.texts.has_tenant_column() => {
                sending.merge(&mut conn.conn, BulkMode::InsertOnly).await?
            }
            BulkMode::InsertOnly => {
                let sent = sending.send(&mut conn.conn, false).await?;
                BulkInserted { sent, written: sent }
            }
            mode => sending.merge(&mut conn.conn, mode).await?,
        };
        conn.settled = true;
        (sending.progress)(done.sent);
        Ok(done)
    }
}

struct Sending<'s, S> {
    access: Access<'s>,
    documents: Pin<Box<S>>,
    progress: Box<dyn FnMut(u64) + Send + 's>,
}

impl<D: Document, S: Stream<Item = D> + Send> Sending<'_, S> {
    /// Sends everything to a table beside the collection, and stores it from there in one statement.
    async fn merge(&mut self, conn: &mut PgConnection, mode: BulkMode) -> Result<BulkInserted> {
        let at = self.access.at();
        let mut tx = conn.begin().await?;
        bulk::stage(&mut tx, at).await?;
        let sent = self.send(&mut tx, true).await?;
        let overwrite = mode == BulkMode::Overwrite;
        let written = bulk::store_staged(&mut tx, at, overwrite).await?;
        if mode == BulkMode::InsertOnly && written < sent {
            let id = bulk::taken_staged(&mut tx, at).await?.unwrap_or_default();
            return Err(Error::AlreadyExists { collection: D::COLLECTION.name, id });
        }
        if overwrite && let Some(id) = bulk::deleted_staged(&mut tx, at).await? {
            return Err(Error::DocDeleted { collection: D::COLLECTION.name, id });
        }
        tx.commit().await?;
        Ok(BulkInserted { sent, written })
    }

    async fn send(&mut self, conn: &mut PgConnection, staged: bool) -> Result<u64> {
        let mut copy = bulk::copy(conn, self.access.at(), staged).await?;
        while let Some(document) = self.documents.next().await {
            let (id, json) = encode(&document)?;
            if copy.add(&id, &json) {
                copy.send().await?;
                (self.progress)(copy.count);
            }
        }
        copy.finish().await
    }
}

/// A connection that is closed, not given back, when it is left in the middle of a COPY.
struct Exclusive {
    conn: Connection,
    settled: bool,
}

impl Exclusive {
    fn new(conn: Connection) -> Self {
        Self { conn, settled: false }
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        if !self.settled {
            self.conn.close_on_drop();
        }
    }
}

impl<S> fmt::Debug for BulkInsert<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkInsert")
            .field("collection", &self.access.collection.name)
            .field("mode", &self.mode)
            .finish()
    }
}
