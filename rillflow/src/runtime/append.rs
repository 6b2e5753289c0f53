//! Appends: one statement, or one transaction when projections run inline.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use sqlx::{Connection, PgConnection};

use super::backoff::Backoff;
use super::marks::Marks;
use super::{Core, SharedCore};
use crate::model::{AnyProjection, Appended, EventEnvelope, ProjectionBatch};
use crate::storage::{documents, events, streams};
use crate::{Error, Result};

/// How often an append with inline projections is tried when others change the same documents.
const TRIES: u32 = 10;

/// Appends in a transaction of its own.
pub(crate) async fn append(core: &SharedCore, append: &events::Append) -> Result<Appended> {
    let appended = if core.inline().next().is_none() {
        let mut conn = core.pool.acquire().await?;
        append_on(&mut conn, core, append).await?
    } else {
        append_with_projections(core, append).await?
    };
    Marks::appended(core, appended.position());
    Ok(appended)
}

async fn append_with_projections(core: &Core, append: &events::Append) -> Result<Appended> {
    let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(50));
    let mut conn = core.pool.acquire().await?;
    loop {
        let mut tx = conn.begin().await?;
        match append_on(&mut tx, core, append).await {
            Ok(appended) => {
                tx.commit().await?;
                return Ok(appended);
            }
            // the server, or a new document, says that nothing was written: safe to do again
            Err(Error::Contention(error)) if backoff.tries() < TRIES => {
                tx.rollback().await?;
                tracing::debug!(%error, "an append with inline projections gave way to another; trying again");
                tokio::time::sleep(backoff.next()).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Appends on a connection whose transaction belongs to the caller, with the inline projections.
pub(crate) async fn append_on(conn: &mut PgConnection, core: &Core, append: &events::Append) -> Result<Appended> {
    if append.is_empty() {
        return nothing_to_append(conn, core, append).await;
    }
    let Some(appended) = events::append(conn, &core.texts, append).await? else {
        return Err(conflict(conn, core, append).await?);
    };
    for registered in core.inline() {
        project(conn, core, &*registered.projection, append.envelopes(&appended)).await?;
    }
    Ok(appended)
}

/// An empty append still checks what the caller expected.
async fn nothing_to_append(conn: &mut PgConnection, core: &Core, append: &events::Append) -> Result<Appended> {
    let version = events::stream_version(conn, &core.texts, append.stream_id).await?;
    if !append.expected.admits(version) {
        return Err(Error::VersionConflict { stream_id: append.stream_id, expected: append.expected, actual: version });
    }
    Ok(Appended {
        stream_id: append.stream_id,
        version,
        positions: Vec::new(),
        created_at: chrono::DateTime::default(),
    })
}

async fn conflict(conn: &mut PgConnection, core: &Core, append: &events::Append) -> Result<Error> {
    streams::refusal(conn, &core.texts, append.stream_id, append.expected).await
}

/// Folds the events just appended into one inline projection's documents.
async fn project(
    conn: &mut PgConnection,
    core: &Core,
    projection: &dyn AnyProjection,
    events: Vec<EventEnvelope>,
) -> Result<()> {
    let types = projection.types();
    let events: Vec<_> = events.into_iter().filter(|e| types.iter().any(|t| *t.name == *e.typ)).collect();
    let mut batch = projection.batch();
    push_all(projection, &mut *batch, events)?;
    if batch.is_empty() {
        return Ok(());
    }
    documents::load_batch(conn, &core.texts, projection.collection(), &mut *batch, true).await?;
    fold(projection, &mut *batch)?;
    if documents::write_batch(conn, &core.texts, projection.collection(), batch.changes()?).await? {
        return Ok(());
    }
    let message = format!("a document of {} came into being while it was folded", projection.collection().name);
    Err(Error::Contention(sqlx::Error::Protocol(message)))
}

/// Pushes events into a batch. A failure says at which event; a panic is a failure.
pub(super) fn push_all(
    projection: &dyn AnyProjection,
    batch: &mut dyn ProjectionBatch,
    events: Vec<EventEnvelope>,
) -> Result<()> {
    for event in events {
        let position = event.global_seq;
        guarded(projection, position, || batch.push(event))?;
    }
    Ok(())
}

/// Folds a batch. A failure says at which event; a panic is a failure.
pub(super) fn fold(projection: &dyn AnyProjection, batch: &mut dyn ProjectionBatch) -> Result<()> {
    while let Some(position) = batch.next() {
        guarded(projection, position, || batch.fold_next())?;
    }
    Ok(())
}

/// Runs the application's code: its error or panic becomes [`Error::Projection`] at `position`.
fn guarded(projection: &dyn AnyProjection, position: i64, run: impl FnOnce() -> Result<()>) -> Result<()> {
    let source = match std::panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(Error::Projection { source, .. })) => source,
        Ok(Err(error)) => error.into(),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into());
            format!("the handler panicked: {text}").into()
        }
    };
    Err(Error::Projection { name: projection.name().to_owned(), position, source })
}
