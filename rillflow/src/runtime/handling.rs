//! The application's code at work: events folded into documents, or handed to async handlers, and written with the
//! checkpoint.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::{Postgres, Transaction};

use super::Core;
use super::append::{fold, guarded, look_up, panicked, push_all};
use super::connections::Connection;
use crate::model::{AnyHandler, AnyProjection, Changes, Collection, EventEnvelope, Registered, Work};
use crate::storage::bulk;
use crate::storage::documents::{self, In};
use crate::storage::projections::{self, Checkpoint, Fence};
use crate::{BoxError, Error, Result};

/// A batch of one projection.
pub(super) struct Handling<'h> {
    pub(super) core: &'h Core,
    pub(super) registered: &'h Registered,
    pub(super) fence: Fence<'h>,
}

impl Handling<'_> {
    /// Handles the events and writes what they came to. `false`: the lease is lost, and nothing was written.
    pub(super) async fn run(&self, events: Vec<Arc<EventEnvelope>>, checkpoint: Checkpoint) -> Result<bool> {
        match &self.registered.work {
            Work::Documents(projection, collection) => self.fold(&**projection, collection, events, checkpoint).await,
            Work::Sql(handler) => self.hand_over(&**handler, events, checkpoint).await,
        }
    }

    async fn fold(
        &self,
        projection: &dyn AnyProjection,
        collection: &'static Collection,
        events: Vec<Arc<EventEnvelope>>,
        checkpoint: Checkpoint,
    ) -> Result<bool> {
        let (texts, mut batch) = (&self.core.texts, projection.batch());
        push_all(projection, &mut *batch, events)?;
        let mut conn = self.core.pool.acquire().await?;
        if batch.is_empty() {
            return projections::save_checkpoint(&mut conn, texts, self.fence, checkpoint).await;
        }
        // no lock: the lease keeps other writers away, and the token in the write keeps out those who lost theirs
        documents::load_batch(&mut conn, texts, collection, &mut *batch, false).await?;
        look_up(&mut conn, self.core, &mut *batch).await?;
        fold(projection, &mut *batch)?;
        let changes = batch.changes()?;
        if self.registered.is_beside {
            return self.write_beside(&mut conn, checkpoint, collection, changes).await;
        }
        projections::write_batch(&mut conn, texts, self.fence, checkpoint, collection, changes).await
    }

    /// Writes into a table that is being filled: what is new in it goes by COPY, behind the fence, in one transaction.
    async fn write_beside(
        &self,
        conn: &mut Connection,
        checkpoint: Checkpoint,
        collection: &'static Collection,
        changes: Changes,
    ) -> Result<bool> {
        let texts = &self.core.texts;
        let mut tx = conn.begin().await?;
        if !projections::save_checkpoint(&mut tx, texts, self.fence, checkpoint).await? {
            return Ok(false);
        }
        let (new, changed) = changes.part_new(collection.id_type);
        let mut copy = bulk::copy(&mut tx, In { texts, collection, metadata: None }, false).await?;
        for (id, json) in &new {
            if copy.add(id, json) {
                copy.send().await?;
            }
        }
        copy.finish().await?;
        if !changed.is_empty() && !documents::write_batch(&mut tx, texts, collection, changed, None).await? {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn hand_over(
        &self,
        handler: &dyn AnyHandler,
        events: Vec<Arc<EventEnvelope>>,
        checkpoint: Checkpoint,
    ) -> Result<bool> {
        let texts = &self.core.texts;
        if events.is_empty() {
            let mut conn = self.core.pool.acquire().await?;
            return projections::save_checkpoint(&mut conn, texts, self.fence, checkpoint).await;
        }
        let mut tx = self.core.pool.begin().await?;
        // a process that falls silent in here must not hold the rows that the next owner writes
        projections::guard_batch(&mut tx, texts, self.fence.ttl.mul_f64(1.25)).await?;
        for event in &events {
            if let Err(error) = call(self.registered, handler, event, &mut tx, self.fence.ttl).await {
                // if even that fails, the connection is lost, and the event is not to blame
                tx.rollback().await?;
                return Err(error);
            }
        }
        if !projections::save_checkpoint(&mut tx, texts, self.fence, checkpoint).await? {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// Calls a handler: its error, its panic or its silence becomes [`Error::Projection`].
pub(super) async fn call(
    registered: &Registered,
    handler: &dyn AnyHandler,
    event: &EventEnvelope,
    tx: &mut Transaction<'_, Postgres>,
    limit: Duration,
) -> Result<()> {
    // called within, as a handler that is no `async fn` may panic before it returns its future
    let applied = async { handler.apply(event, tx).await };
    let handled = tokio::time::timeout(limit, AssertUnwindSafe(applied).catch_unwind()).await;
    let source: BoxError = match handled {
        Ok(Ok(Ok(()))) => return Ok(()),
        Ok(Ok(Err(error))) => error,
        Ok(Err(panic)) => panicked(&*panic).into(),
        Err(_elapsed) => format!("the handler took longer than {limit:?}, as long as the lease lasts").into(),
    };
    Err(Error::Projection { name: registered.name.to_string(), position: event.global_seq, source })
}

/// Has a handler empty what it wrote, on a transaction of the caller's.
pub(super) async fn empty(
    registered: &Registered,
    handler: &dyn AnyHandler,
    tx: &mut Transaction<'_, Postgres>,
) -> Result<()> {
    let emptied = AssertUnwindSafe(async { handler.reset(tx).await }).catch_unwind().await;
    let source = match emptied {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error,
        Err(panic) => panicked(&*panic).into(),
    };
    Err(Error::Projection { name: registered.name.to_string(), position: 0, source })
}

/// What an event changes, as text: the documents, or the stream when SQL is written.
pub(super) fn keys_of(registered: &Registered, event: &EventEnvelope) -> Result<Vec<String>> {
    let Some(projection) = registered.documents() else { return Ok(vec![event.stream_id.to_string()]) };
    let mut keys = Vec::new();
    guarded(&registered.name, event.global_seq, || {
        keys = projection.batch().keys_of(event)?.iter().map(ToString::to_string).collect();
        Ok(())
    })?;
    Ok(keys)
}
