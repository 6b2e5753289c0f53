//! Aggregates: loaded from a snapshot and what came after it, appended to under their validators.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;

use super::append::{append, append_in_tx};
use super::backoff::Backoff;
use super::marks::Marks;
use super::{Core, SharedCore, snapshots, warm};
use crate::model::{Aggregate, AppendOptions, Appended, Event, EventSet, Expected, Snapshots, StreamId};
use crate::observe::operation;
use crate::storage::append::Append;
use crate::storage::snapshots::{Piece, Until, fold};
use crate::{BoxError, Error, Result};

/// An aggregate as it was read. Its state's fields and methods are at hand: `loaded.total`.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded<A> {
    /// Its state.
    pub state: A,
    /// The version of its stream: the number of events folded, 0 when there is no stream.
    pub version: i64,
}

impl<A> Deref for Loaded<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.state
    }
}

/// Looks at a state before the events that lead to it are appended.
type Validator<A> = Arc<dyn Fn(&A) -> Result<(), BoxError> + Send + Sync>;

/// What every write of an aggregate keeps to.
pub(crate) struct Rules<A> {
    /// Beside the aggregate's own.
    pub(crate) validators: Vec<Validator<A>>,
    pub(crate) snapshots: Option<Snapshots<A>>,
}

impl<A> Clone for Rules<A> {
    fn clone(&self) -> Self {
        Self { validators: self.validators.clone(), snapshots: self.snapshots }
    }
}

impl<A> fmt::Debug for Rules<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let validators = self.validators.len();
        f.debug_struct("Rules").field("validators", &validators).field("snapshots", &self.snapshots).finish()
    }
}

impl<A: Aggregate> Rules<A> {
    /// The aggregate's own, as the store was told.
    pub(crate) fn of(core: &Core) -> Self {
        Self { validators: Vec::new(), snapshots: core.snapshots.of::<A>() }
    }

    /// Whether there is anything that looks at states.
    fn look_at_states(&self) -> bool {
        A::VALIDATED || !self.validators.is_empty()
    }

    pub(crate) fn check(&self, stream_id: StreamId, state: &A) -> Result<()> {
        let own = state.validate();
        let all = self.validators.iter().try_fold((), |(), validator| validator(state));
        own.and(all).map_err(|source| Error::Invalid { aggregate: A::NAME, stream_id, source })
    }

    /// Keeps a snapshot behind an append that crossed the number of events. The append stands whatever comes of it.
    pub(super) async fn keep(&self, core: &SharedCore, stream_id: StreamId, before: i64, version: i64, state: &A) {
        let Some(how) = self.snapshots.filter(|it| it.due(before, version)) else { return };
        if let Err(error) = snapshots::put(core, &how, stream_id, version, state).await {
            tracing::warn!(%error, %stream_id, aggregate = A::NAME, "no snapshot was kept; the next one will be");
        }
    }
}

/// Reads an aggregate, straight from the bytes of its snapshot and events.
pub(crate) async fn load<A: Aggregate>(
    core: &SharedCore,
    stream_id: StreamId,
    how: Option<&Snapshots<A>>,
    until: Until,
) -> Result<Loaded<A>> {
    let loading = warm::ask(core, async |conn| load_on(conn, core, stream_id, how, until).await);
    operation!(core, "load", A::NAME).stream(stream_id).run(loading).await
}

/// As [`load`], on a connection whose transaction belongs to the caller.
pub(crate) async fn load_on<A: Aggregate>(
    conn: &mut PgConnection,
    core: &Core,
    stream_id: StreamId,
    how: Option<&Snapshots<A>>,
    until: Until,
) -> Result<Loaded<A>> {
    let mut unreadable = false;
    match load_from(conn, core, stream_id, how, until, &mut unreadable).await {
        Err(error) if unreadable => {
            tracing::warn!(%error, %stream_id, aggregate = A::NAME, "a snapshot cannot be read; folding all events");
            load_from(conn, core, stream_id, None, until, &mut unreadable).await
        }
        other => other,
    }
}

async fn load_from<A: Aggregate>(
    conn: &mut PgConnection,
    core: &Core,
    stream_id: StreamId,
    how: Option<&Snapshots<A>>,
    until: Until,
    unreadable: &mut bool,
) -> Result<Loaded<A>> {
    let mut state = A::default();
    let key = how.map(|_| snapshots::key::<A>());
    let version = fold(conn, &core.texts, stream_id, key, until, |piece| match (piece, how) {
        (Piece::Snapshot(json), Some(how)) => match how.decode(json) {
            Ok(kept) => {
                state = kept;
                Ok(())
            }
            Err(source) => {
                *unreadable = true;
                Err(Error::Decode { what: format!("a snapshot of {}", A::NAME), source })
            }
        },
        // nobody asked for one
        (Piece::Snapshot(_), None) => Ok(()),
        (Piece::Event { name, version, json }, _) => apply(&mut state, stream_id, name, version, json),
    })
    .await?;
    Ok(Loaded { state, version })
}

/// Folds a stored event. State built on a part of the history would be wrong, so an unknown event is an error.
pub(super) fn apply<A: Aggregate>(
    state: &mut A,
    stream_id: StreamId,
    name: &str,
    version: i32,
    json: &[u8],
) -> Result<()> {
    let unknown = || Error::UnknownEvent { stream_id, name: name.to_owned(), version };
    match A::Event::decode_each(name, version, json, &mut |event| state.apply(&event)) {
        Ok(true) => Ok(()),
        Ok(false) | Err(Error::UnknownEvent { .. }) => Err(unknown()),
        Err(other) => Err(other),
    }
}

/// Appends events that the caller has: one statement, and with validators one more that loads what they look at.
pub(crate) async fn append_events<A: Aggregate>(
    core: &SharedCore,
    stream_id: StreamId,
    expected: Expected,
    events: &[A::Event],
    rules: &Rules<A>,
) -> Result<Appended> {
    if rules.look_at_states() && !events.is_empty() {
        return append_checked(core, stream_id, expected, events, rules).await;
    }
    let appended = append(core, request::<A>(stream_id, expected, events)?).await?;
    let before = appended.version - events.len() as i64;
    if rules.snapshots.is_some_and(|it| it.due(before, appended.version)) {
        match load::<A>(core, stream_id, rules.snapshots.as_ref(), Until::Latest).await {
            Ok(loaded) => rules.keep(core, stream_id, before, loaded.version, &loaded.state).await,
            Err(error) => tracing::warn!(%error, %stream_id, aggregate = A::NAME, "no snapshot was kept"),
        }
    }
    Ok(appended)
}

async fn append_checked<A: Aggregate>(
    core: &SharedCore,
    stream_id: StreamId,
    expected: Expected,
    events: &[A::Event],
    rules: &Rules<A>,
) -> Result<Appended> {
    let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(100));
    loop {
        let loaded = load::<A>(core, stream_id, rules.snapshots.as_ref(), Until::Latest).await?;
        if !expected.admits(loaded.version) {
            return Err(Error::VersionConflict { stream_id, expected, actual: loaded.version });
        }
        match append_to(core, stream_id, loaded, events, rules).await {
            // the caller does not mind where the stream is, only the validators do
            Err(Error::VersionConflict { .. }) if !expected.minds_the_version() => {
                tokio::time::sleep(backoff.next()).await;
            }
            other => return other.map(|(appended, _)| appended),
        }
    }
}

/// Appends events to what was loaded, if nobody else did meanwhile, and returns the state they lead to.
pub(crate) async fn append_to<A: Aggregate>(
    core: &SharedCore,
    stream_id: StreamId,
    loaded: Loaded<A>,
    events: &[A::Event],
    rules: &Rules<A>,
) -> Result<(Appended, A)> {
    let Loaded { mut state, version } = loaded;
    events.iter().for_each(|event| state.apply(event));
    rules.check(stream_id, &state)?;
    let appended = append(core, request::<A>(stream_id, Expected::Exact(version), events)?).await?;
    rules.keep(core, stream_id, version, appended.version, &state).await;
    Ok((appended, state))
}

/// As [`append_events`], in the caller's transaction; no snapshot is kept.
pub(crate) async fn append_events_on<A: Aggregate>(
    conn: &mut PgConnection,
    core: &SharedCore,
    stream_id: StreamId,
    expected: Expected,
    events: &[A::Event],
) -> Result<Appended> {
    let rules = Rules::<A>::of(core);
    let mut tries = 0;
    loop {
        let mut request = request::<A>(stream_id, expected, events)?;
        if rules.look_at_states() && !events.is_empty() {
            let Loaded { mut state, version } =
                load_on::<A>(conn, core, stream_id, rules.snapshots.as_ref(), Until::Latest).await?;
            if !expected.admits(version) {
                return Err(Error::VersionConflict { stream_id, expected, actual: version });
            }
            events.iter().for_each(|event| state.apply(event));
            rules.check(stream_id, &state)?;
            request.expected = Expected::Exact(version);
        }
        tries += 1;
        match append_in_tx(conn, core, &mut request).await {
            // the caller does not mind where the stream is; the next look sees who was first
            Err(Error::VersionConflict { .. }) if !expected.minds_the_version() && tries < super::decide::TRIES => {}
            Err(error) => return Err(error),
            Ok(appended) => {
                Marks::appended(core, appended.position());
                return Ok(appended);
            }
        }
    }
}

pub(super) fn request<A: Aggregate>(stream_id: StreamId, expected: Expected, events: &[A::Event]) -> Result<Append> {
    Append::new(stream_id, A::STREAM, expected, &AppendOptions::default(), events.iter().map(Event::of))
}
