//! The decide loop: load, decide, append, and again when somebody else was first.

use std::fmt;
use std::time::Duration;

use sqlx::PgConnection;

use super::SharedCore;
use super::aggregates::{Loaded, Rules, append_to, load, load_on, request};
use super::append::append_in_tx;
use super::backoff::Backoff;
use super::marks::Marks;
use crate::model::{Aggregate, Appended, Expected, StreamId};
use crate::observe::operation;
use crate::storage::snapshots::Until;
use crate::{Error, Result};

/// How often a decision is made anew when others append first.
pub(super) const TRIES: u32 = 20;

/// What a decision came to.
#[derive(Clone, Debug)]
pub struct Decided<A> {
    /// The state after the decision.
    pub state: A,
    /// The version of the stream after it.
    pub version: i64,
    /// What was appended; `None` when the decision was to do nothing.
    pub appended: Option<Appended>,
}

impl<A> Decided<A> {
    /// The position of the last event appended, 0 when there was none: what a reader waits for.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.appended.as_ref().map_or(0, Appended::position)
    }
}

/// Why a decision was not recorded.
#[derive(Debug)]
pub enum DecideError<E> {
    /// The application said no: its own error, as it is.
    Rejected(E),
    /// The store could not load or append.
    Store(Error),
}

impl<E> From<Error> for DecideError<E> {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl<E: fmt::Display> fmt::Display for DecideError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

// for any `E` that can be shown, so that a decision may reject with a plain `&str`
impl<E: fmt::Display + fmt::Debug> std::error::Error for DecideError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rejected(_) => None,
            Self::Store(error) => error.source(),
        }
    }
}

/// Loads, decides and appends, again and again while others append first.
pub(crate) async fn decide<A: Aggregate, E>(
    core: &SharedCore,
    stream_id: StreamId,
    rules: &Rules<A>,
    decision: impl FnMut(&A) -> Result<Vec<A::Event>, E>,
) -> Result<Decided<A>, DecideError<E>> {
    let operation = operation!(core, "decide", A::NAME).stream(stream_id);
    operation.run_any(decide_until(core, stream_id, rules, decision)).await
}

async fn decide_until<A: Aggregate, E>(
    core: &SharedCore,
    stream_id: StreamId,
    rules: &Rules<A>,
    mut decision: impl FnMut(&A) -> Result<Vec<A::Event>, E>,
) -> Result<Decided<A>, DecideError<E>> {
    let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(100));
    loop {
        let loaded = load::<A>(core, stream_id, rules.snapshots.as_ref(), Until::Latest).await?;
        let decided = decision(&loaded.state).map_err(DecideError::Rejected)?;
        if decided.is_empty() {
            return Ok(Decided { state: loaded.state, version: loaded.version, appended: None });
        }
        match append_to(core, stream_id, loaded, &decided, rules).await {
            Ok((appended, state)) => {
                return Ok(Decided { state, version: appended.version, appended: Some(appended) });
            }
            Err(Error::VersionConflict { .. }) if backoff.tries() < TRIES => tokio::time::sleep(backoff.next()).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// As [`decide`], in the caller's transaction. A stream that moved on is loaded again, as the next statement sees it.
pub(crate) async fn decide_in<A: Aggregate, E>(
    conn: &mut PgConnection,
    core: &SharedCore,
    stream_id: StreamId,
    decision: impl FnMut(&A) -> Result<Vec<A::Event>, E>,
) -> Result<Decided<A>, DecideError<E>> {
    let operation = operation!(core, "decide", A::NAME).stream(stream_id);
    operation.run_any(decide_in_until(conn, core, stream_id, decision)).await
}

async fn decide_in_until<A: Aggregate, E>(
    conn: &mut PgConnection,
    core: &SharedCore,
    stream_id: StreamId,
    mut decision: impl FnMut(&A) -> Result<Vec<A::Event>, E>,
) -> Result<Decided<A>, DecideError<E>> {
    let rules = Rules::<A>::of(core);
    let mut tries = 0;
    loop {
        let Loaded { mut state, version } =
            load_on(conn, core, stream_id, rules.snapshots.as_ref(), Until::Latest).await?;
        let decided = decision(&state).map_err(DecideError::Rejected)?;
        if decided.is_empty() {
            return Ok(Decided { state, version, appended: None });
        }
        decided.iter().for_each(|event| state.apply(event));
        rules.check(stream_id, &state)?;
        tries += 1;
        let mut request = request::<A>(stream_id, Expected::Exact(version), &decided)?;
        match append_in_tx(conn, core, &mut request).await {
            Ok(appended) => {
                Marks::appended(core, appended.position());
                return Ok(Decided { state, version: appended.version, appended: Some(appended) });
            }
            Err(Error::VersionConflict { .. }) if tries < TRIES => {}
            Err(error) => return Err(error.into()),
        }
    }
}
