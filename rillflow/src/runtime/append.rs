//! Appends: one statement, or one transaction when projections run inline.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;

use super::backoff::Backoff;
use super::connections::Connection;
use super::marks::Marks;
use super::{Core, SharedCore, inline, lanes, warm};
use crate::model::{AnyProjection, Appended, EventEnvelope, IdValue, Lifecycle, ProjectionBatch, Registered};
use crate::observe::{self, operation};
use crate::storage::append::{self as appends, Append, Outcome};
use crate::storage::failure::{broke, repeated};
use crate::storage::{documents, events, outbox, streams};
use crate::{Error, Result};

/// How often an append with inline projections is tried when others change the same documents.
const TRIES: u32 = 10;

/// Appends in a transaction of its own.
pub(crate) async fn append(core: &SharedCore, mut append: Append) -> Result<Appended> {
    core.carry(&mut append);
    let seen = observe::Appending::of(&core.observer, &append);
    let operation = operation!(core, "append", "events").stream(append.stream_id).events(append.events.len());
    seen.done(operation.run(settle_anywhere(core, append)).await)
}

async fn settle_anywhere(core: &SharedCore, append: Append) -> Result<Appended> {
    let appended = if core.inline().next().is_some() {
        append_with_projections(core, &append).await?
    } else if append.stands_for_itself() {
        lanes::append(core, append).await?
    } else {
        settle_alone(core, &append).await?
    };
    Marks::appended(core, appended.position());
    Ok(appended)
}

/// Settles an append on a connection for it alone.
pub(super) async fn settle_alone(core: &SharedCore, append: &Append) -> Result<Appended> {
    let mut conn = warm::connection(core).await?;
    let appended = settle(&mut conn, core, append).await?;
    conn.rest();
    Ok(appended)
}

async fn append_with_projections(core: &Core, append: &Append) -> Result<Appended> {
    let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(50));
    let mut conn = core.pool.acquire().await?;
    loop {
        match in_transaction(&mut conn, core, append).await {
            // the server, or a document that came into being, says that nothing was written: safe to do again
            Err(Error::Contention(error)) if backoff.tries() < TRIES => {
                if let Some(found) = already_there(&mut conn, core, append).await? {
                    return Ok(found);
                }
                tracing::debug!(%error, "an append with inline projections gave way to another; trying again");
                tokio::time::sleep(backoff.next()).await;
            }
            result => return result,
        }
    }
}

/// Appends in a transaction that first waits for everybody else who asks for this stream in this way.
pub(crate) async fn append_locked(core: &SharedCore, append: &mut Append) -> Result<Appended> {
    core.carry(append);
    let seen = observe::Appending::of(&core.observer, append);
    let operation = operation!(core, "append", "events").stream(append.stream_id).events(append.events.len());
    seen.done(operation.run(settle_locked(core, append)).await)
}

async fn settle_locked(core: &SharedCore, append: &Append) -> Result<Appended> {
    let mut conn = core.pool.acquire().await?;
    let mut tx = conn.begin().await?;
    appends::lock(&mut tx, &core.texts, append.stream_id).await?;
    let appended = append_on(&mut tx, core, append).await?;
    tx.commit().await.map_err(|e| outcome_unknown(append, e.into()))?;
    Marks::appended(core, appended.position());
    Ok(appended)
}

/// Dropping the transaction on an error rolls it back.
async fn in_transaction(conn: &mut Connection, core: &Core, append: &Append) -> Result<Appended> {
    let mut tx = conn.begin().await?;
    let appended = append_on(&mut tx, core, append).await?;
    tx.commit().await.map_err(|e| outcome_unknown(append, e.into()))?;
    Ok(appended)
}

/// As [`append_on`], as an operation of its own.
pub(crate) async fn append_in_tx(conn: &mut PgConnection, core: &Core, append: &mut Append) -> Result<Appended> {
    core.carry(append);
    let seen = observe::Appending::of(&core.observer, append);
    let operation = operation!(core, "append", "events").stream(append.stream_id).events(append.events.len());
    seen.done(operation.run(append_on(conn, core, append)).await)
}

/// Appends on a connection whose transaction belongs to the caller, with the inline projections.
pub(crate) async fn append_on(conn: &mut PgConnection, core: &Core, append: &Append) -> Result<Appended> {
    if append.events.is_empty() {
        return nothing_to_append(conn, core, append).await;
    }
    let appended = match attempt(conn, core, append).await {
        Err(error) if repeated(&error).is_some() => return Err(Error::Contention(repeated_in_transaction())),
        result => result?,
    };
    if !appended.repeated {
        for registered in core.inline() {
            project(conn, core, registered, append.envelopes(&appended)).await?;
        }
    }
    Ok(appended)
}

/// Appends on a connection with no transaction open: what was here before is found out, and an unknown outcome is named.
pub(super) async fn settle(conn: &mut PgConnection, core: &Core, append: &Append) -> Result<Appended> {
    if append.events.is_empty() {
        return nothing_to_append(conn, core, append).await;
    }
    match attempt(conn, core, append).await {
        Err(error) if repeated(&error).is_some() => match already_there(conn, core, append).await? {
            Some(found) => Ok(found),
            // the first use has given up meanwhile, or the ids belong to another stream's events
            None => attempt(conn, core, append).await.map_err(|error| match repeated(&error) {
                Some(_) => appends::other_events(append),
                None => outcome_unknown(append, error),
            }),
        },
        // an event that this append wrote before would be in its own way
        Err(conflict @ Error::TagConflict { .. }) => Ok(already_there(conn, core, append).await?.ok_or(conflict)?),
        result => result.map_err(|e| outcome_unknown(append, e)),
    }
}

/// The append statement, and what its answer means.
async fn attempt(conn: &mut PgConnection, core: &Core, append: &Append) -> Result<Appended> {
    match appends::append(conn, &core.texts, append).await? {
        Outcome::Appended(appended) => Ok(appended),
        Outcome::OtherEvents => Err(appends::other_events(append)),
        Outcome::NotAsExpected => match again(conn, core, append).await? {
            Some(appended) => Ok(appended),
            None => Err(conflict(conn, core, append).await?),
        },
    }
}

/// A keyed append that finds the stream moved on may have waited for its own first use: a new look tells.
async fn again(conn: &mut PgConnection, core: &Core, append: &Append) -> Result<Option<Appended>> {
    if append.key.is_none() {
        return Ok(None);
    }
    match appends::append(conn, &core.texts, append).await? {
        Outcome::Appended(appended) => Ok(Some(appended)),
        Outcome::OtherEvents => Err(appends::other_events(append)),
        Outcome::NotAsExpected => Ok(None),
    }
}

/// The first result of an append that has been here before: by its key, or by the ids of its events.
async fn already_there(conn: &mut PgConnection, core: &Core, append: &Append) -> Result<Option<Appended>> {
    if append.key.is_some() {
        return Ok(None); // the statement itself looks
    }
    match appends::find(conn, &core.texts, append).await? {
        appends::Found::Same(appended) => Ok(Some(appended)),
        appends::Found::Other => Err(appends::other_events(append)),
        appends::Found::Nothing => Ok(None),
    }
}

/// In a transaction nothing more can be asked after a refusal.
fn repeated_in_transaction() -> sqlx::Error {
    sqlx::Error::Protocol("the same key, or the same event ids, were being appended at the same time".to_owned())
}

/// Names an outcome that nobody knows; other errors mean that nothing was written.
pub(super) fn outcome_unknown(append: &Append, error: Error) -> Error {
    if broke(&error) {
        return Error::OutcomeUnknown { stream_id: append.stream_id, reason: error.to_string() };
    }
    error
}

/// An append without events still checks what the caller expected, and publishes.
async fn nothing_to_append(conn: &mut PgConnection, core: &Core, append: &Append) -> Result<Appended> {
    let version = events::stream_version(conn, &core.texts, append.stream_id).await?;
    if !append.expected.admits(version) {
        return Err(Error::VersionConflict { stream_id: append.stream_id, expected: append.expected, actual: version });
    }
    if !append.messages.is_empty() {
        outbox::publish(conn, &core.texts, &append.messages).await?;
    }
    Ok(Appended {
        stream_id: append.stream_id,
        version,
        positions: Vec::new(),
        created_at: chrono::DateTime::default(),
        repeated: false,
    })
}

async fn conflict(conn: &mut PgConnection, core: &Core, append: &Append) -> Result<Error> {
    streams::refusal(conn, &core.texts, append.stream_id, append.expected).await
}

/// Folds the events just appended into one inline projection's documents.
pub(super) async fn project(
    conn: &mut PgConnection,
    core: &Core,
    registered: &Registered,
    events: Vec<EventEnvelope>,
) -> Result<()> {
    let Some(projection) = registered.documents() else { return Ok(()) };
    let types = projection.types();
    let events = events.into_iter().filter(|e| types.iter().any(|t| *t.name == *e.typ)).map(Arc::new).collect();
    let mut batch = projection.batch();
    push_all(projection, &mut *batch, events)?;
    if batch.is_empty() {
        return Ok(());
    }
    let written = fold_into(conn, core, registered, projection, &mut *batch).await;
    if let Ok(true) = written {
        return Ok(());
    }
    // what another version wrote may also be what could not be read. Where PostgreSQL has ended the transaction it answers
    // nothing more, and what it said before counts
    if registered.lifecycle == Lifecycle::Inline
        && let Err(other @ Error::ReadModelVersion { .. }) = inline::check(conn, core, registered).await
    {
        return Err(other);
    }
    written?;
    let message = format!("a document of {} came into being while it was folded", projection.collection().name);
    Err(Error::Contention(sqlx::Error::Protocol(message)))
}

/// Folds a batch into the stored documents. `false`: they are not as they were, or of another version.
async fn fold_into(
    conn: &mut PgConnection,
    core: &Core,
    registered: &Registered,
    projection: &dyn AnyProjection,
    batch: &mut dyn ProjectionBatch,
) -> Result<bool> {
    // from here on the table stays what it is: a rebuild that puts another in its place waits for this transaction
    documents::load_batch(conn, &core.texts, projection.collection(), batch, true).await?;
    look_up(conn, core, batch).await?;
    fold(projection, batch)?;
    let inline = (registered.lifecycle == Lifecycle::Inline).then_some((&*registered.name, registered.version));
    documents::write_batch(conn, &core.texts, projection.collection(), batch.changes()?, inline).await
}

/// Pushes events into a batch. A failure says at which event; a panic is a failure.
pub(super) fn push_all(
    projection: &dyn AnyProjection,
    batch: &mut dyn ProjectionBatch,
    events: Vec<Arc<EventEnvelope>>,
) -> Result<()> {
    for event in events {
        let position = event.global_seq;
        guarded(projection.name(), position, || batch.push(event))?;
    }
    Ok(())
}

/// Reads what the handlers of a batch look at, in one statement per collection.
pub(crate) async fn look_up(conn: &mut PgConnection, core: &Core, batch: &mut dyn ProjectionBatch) -> Result<()> {
    for (place, (collection, ids)) in batch.lookups().into_iter().enumerate() {
        let found = |id: &IdValue, json: &[u8]| batch.found(place, id, json);
        documents::look_up(conn, &core.texts, collection, ids, found).await?;
    }
    Ok(())
}

/// Folds a batch. A failure says at which event; a panic is a failure.
pub(super) fn fold(projection: &dyn AnyProjection, batch: &mut dyn ProjectionBatch) -> Result<()> {
    while let Some(position) = batch.next() {
        guarded(projection.name(), position, || batch.fold_next())?;
    }
    Ok(())
}

/// Runs the application's code: its error or panic becomes [`Error::Projection`] at `position`.
pub(super) fn guarded(name: &str, position: i64, run: impl FnOnce() -> Result<()>) -> Result<()> {
    let source = match std::panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(Error::Projection { source, .. })) => source,
        Ok(Err(error)) => error.into(),
        Err(panic) => panicked(&*panic).into(),
    };
    Err(Error::Projection { name: name.to_owned(), position, source })
}

/// A panic as text.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into());
    format!("the handler panicked: {text}")
}
