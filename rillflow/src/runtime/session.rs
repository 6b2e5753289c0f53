//! A session's commit: one statement, or one transaction when projections run inline.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::{Connection, PgConnection};

use super::aggregates::{Loaded, Rules, apply, load_on};
use super::append::{outcome_unknown, project};
use super::backoff::Backoff;
use super::decide::TRIES;
use super::marks::Marks;
use super::warm::Lent;
use super::{Core, SharedCore, warm};
use crate::model::{Aggregate, Appended, DocMetadata, Expected, StreamId, TagCondition};
use crate::observe::{Appending, operation};
use crate::storage::append::{self as appends, Append, Outcome};
use crate::storage::failure::{refused, repeated};
use crate::storage::outbox::Outgoing;
use crate::storage::session::{self, Change, Documents, Staged, Written};
use crate::storage::snapshots::Until;
use crate::storage::{documents, streams};
use crate::{Error, Result};

/// What a session wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// What was appended, in the order of the streams' ids.
    pub appended: Vec<Appended>,
}

impl Committed {
    /// The highest position appended, 0 when there was none: what a reader waits for.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.appended.iter().map(Appended::position).max().unwrap_or(0)
    }
}

/// Loads an aggregate, folds into it what a session appends to its stream, and has the result validated; the version at
/// which it was loaded.
pub(crate) type Validate = for<'a> fn(&'a mut PgConnection, &'a Core, &'a Append) -> BoxFuture<'a, Result<i64>>;

/// The [`Validate`] of an aggregate, when anything validates it.
pub(crate) fn validate<A: Aggregate>() -> Option<Validate> {
    fn look<'a, A: Aggregate>(
        conn: &'a mut PgConnection,
        core: &'a Core,
        append: &'a Append,
    ) -> BoxFuture<'a, Result<i64>> {
        Box::pin(async move {
            let rules = Rules::<A>::of(core);
            let how = rules.snapshots.as_ref();
            let Loaded { mut state, version } = load_on::<A>(conn, core, append.stream_id, how, Until::Latest).await?;
            apply_staged(&mut state, append)?;
            rules.check(append.stream_id, &state)?;
            Ok(version)
        })
    }
    A::VALIDATED.then_some(look::<A> as Validate)
}

/// Folds what is staged into a state.
pub(crate) fn apply_staged<A: Aggregate>(state: &mut A, append: &Append) -> Result<()> {
    append.stored().try_for_each(|(name, version, json)| apply(state, append.stream_id, name, version, json))
}

/// Events that a session appends to one stream.
#[derive(Debug)]
pub(crate) struct StagedAppend {
    pub(crate) append: Append,
    /// What the application expects; the append may expect more, as its validator looked at one version.
    wanted: Expected,
    validate: Option<Validate>,
}

/// What a session writes beside documents.
#[derive(Debug, Default)]
pub(crate) struct Staging {
    /// By stream: the order in which rows are locked.
    pub(crate) appends: BTreeMap<StreamId, StagedAppend>,
    pub(crate) condition: Option<TagCondition>,
    pub(crate) messages: Vec<Outgoing>,
    /// What documents are stored with, where their collection has columns for it.
    pub(crate) metadata: Option<DocMetadata>,
}

impl Staging {
    /// Events of one stream follow those staged before, whose expectation counts; unless that was none.
    pub(crate) fn append(&mut self, append: Append, validate: Option<Validate>) {
        let wanted = append.expected;
        match self.appends.get_mut(&append.stream_id) {
            Some(first) => {
                if !first.wanted.minds_the_version() && wanted.minds_the_version() {
                    first.wanted = wanted;
                }
                first.append.events.extend(append.events);
                first.validate = first.validate.or(validate);
            }
            None => drop(self.appends.insert(append.stream_id, StagedAppend { append, wanted, validate })),
        }
    }

    /// Everything was written.
    pub(crate) fn clear(&mut self) {
        *self = Self { metadata: self.metadata.take(), ..Self::default() };
    }

    fn staged<'s>(&'s self, documents: &'s [Documents]) -> Staged<'s> {
        let appends = self.appends.values().map(|it| &it.append).collect();
        Staged {
            appends,
            condition: self.condition.as_ref(),
            messages: &self.messages,
            documents,
            metadata: self.metadata.as_ref(),
        }
    }

    /// What observers are told of, and how many events there are.
    fn seen<'c>(&self, core: &'c Core) -> (Vec<Appending<'c>>, usize) {
        let appends = || self.appends.values().map(|it| &it.append);
        let seen = appends().map(|append| Appending::of(&core.observer, append)).collect();
        (seen, appends().map(|append| append.events.len()).sum())
    }

    /// Has every state validated that the events lead to; from here on they expect the version that was looked at.
    async fn validate(&mut self, conn: &mut PgConnection, core: &Core) -> Result<()> {
        for (stream_id, StagedAppend { append, wanted, validate }) in &mut self.appends {
            append.expected = *wanted;
            let Some(validate) = validate else { continue };
            let version = validate(conn, core, append).await?;
            if !wanted.admits(version) {
                return Err(Error::VersionConflict { stream_id: *stream_id, expected: *wanted, actual: version });
            }
            append.expected = Expected::Exact(version);
        }
        Ok(())
    }

    /// Whether a conflict is nothing to the application, which did not mind where the stream is: only a validator did.
    fn minds(&self, conflict: &Error) -> bool {
        let Error::VersionConflict { stream_id, .. } = conflict else { return true };
        self.appends.get(stream_id).is_none_or(|it| it.validate.is_none() || it.wanted.minds_the_version())
    }
}

/// Commits in a transaction of its own.
pub(crate) async fn commit(core: &SharedCore, staging: &mut Staging, documents: &[Documents]) -> Result<Written> {
    let (seen, events) = staging.seen(core);
    let written = operation!(core, "commit", "session").events(events).run(commit_all(core, staging, documents)).await;
    seen.into_iter().for_each(|it| it.went(written.as_ref().err()));
    written
}

async fn commit_all(core: &SharedCore, staging: &mut Staging, documents: &[Documents]) -> Result<Written> {
    if staging.staged(documents).is_empty() {
        return Ok(Written { appends: Vec::new(), versions: Vec::new() });
    }
    let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(100));
    loop {
        let mut conn = warm::connection(core).await?;
        staging.validate(&mut conn, core).await?;
        match commit_once(&mut conn, core, &staging.staged(documents)).await {
            Err(conflict) if !staging.minds(&conflict) && backoff.tries() < TRIES => {
                drop(conn);
                tokio::time::sleep(backoff.next()).await;
            }
            Err(error) => return Err(error),
            Ok(written) => {
                conn.rest();
                Marks::appended(core, highest(&written));
                return Ok(written);
            }
        }
    }
}

async fn commit_once(conn: &mut Lent<'_>, core: &Core, staged: &Staged<'_>) -> Result<Written> {
    let written = if core.inline().next().is_some() && !staged.appends.is_empty() {
        let mut tx = conn.begin().await?;
        match write(&mut tx, core, staged).await {
            Ok(written) => tx.commit().await.map(|()| written).map_err(|e| unknown(&staged.appends, e.into())),
            Err(error) => tx.rollback().await.map_or_else(|e| Err(e.into()), |()| Err(error)),
        }
    } else {
        session::commit(conn, &core.texts, staged).await.map_err(|e| unknown(&staged.appends, e))
    };
    explained(conn, core, staged, written).await
}

/// Commits in the caller's transaction. A savepoint keeps that whole when something is not as expected.
pub(crate) async fn commit_on(
    conn: &mut PgConnection,
    core: &SharedCore,
    staging: &mut Staging,
    documents: &[Documents],
) -> Result<Written> {
    let (seen, events) = staging.seen(core);
    let commit = commit_all_on(conn, core, staging, documents);
    let written = operation!(core, "commit", "session").events(events).run(commit).await;
    seen.into_iter().for_each(|it| it.went(written.as_ref().err()));
    written
}

async fn commit_all_on(
    conn: &mut PgConnection,
    core: &SharedCore,
    staging: &mut Staging,
    documents: &[Documents],
) -> Result<Written> {
    if staging.staged(documents).is_empty() {
        return Ok(Written { appends: Vec::new(), versions: Vec::new() });
    }
    staging.validate(conn, core).await?;
    let staged = staging.staged(documents);
    let mut savepoint = conn.begin().await?;
    let written = match write(&mut savepoint, core, &staged).await {
        Ok(written) => savepoint.commit().await.map(|()| written).map_err(Error::from),
        Err(error) => savepoint.rollback().await.map_or_else(|e| Err(e.into()), |()| Err(error)),
    };
    let written = explained(conn, core, &staged, written).await?;
    Marks::appended(core, highest(&written));
    Ok(written)
}

/// Writes everything, and what the inline projections make of it, on a connection with a transaction.
async fn write(conn: &mut PgConnection, core: &Core, staged: &Staged<'_>) -> Result<Written> {
    let written = session::commit(conn, &core.texts, staged).await?;
    for (append, outcome) in staged.appends.iter().zip(&written.appends) {
        if let Outcome::Appended(appended) = outcome
            && !appended.repeated
        {
            for registered in core.inline() {
                project(conn, core, registered, append.envelopes(appended)).await?;
            }
        }
    }
    Ok(written)
}

/// Says what a refusal is about.
async fn explained(
    conn: &mut PgConnection,
    core: &Core,
    staged: &Staged<'_>,
    written: Result<Written>,
) -> Result<Written> {
    match written {
        Err(error) if refused(&error) => Err(conflict(conn, core, &staged.appends, staged.documents).await?),
        Err(error) if repeated(&error).is_some() => {
            Err(staged.appends.first().map_or(error, |it| appends::other_events(it)))
        }
        other => other,
    }
}

fn highest(written: &Written) -> i64 {
    let positions = written.appends.iter().map(|it| if let Outcome::Appended(it) = it { it.position() } else { 0 });
    positions.max().unwrap_or(0)
}

fn unknown(appends: &[&Append], error: Error) -> Error {
    match appends.first() {
        Some(append) => outcome_unknown(append, error),
        None => error,
    }
}

/// Finds out what was not as the session expects.
async fn conflict(conn: &mut PgConnection, core: &Core, appends: &[&Append], changes: &[Documents]) -> Result<Error> {
    for append in appends {
        match streams::refusal(conn, &core.texts, append.stream_id, append.expected).await? {
            Error::VersionConflict { expected, actual, .. } if expected.admits(actual) => {}
            refusal => return Ok(refusal),
        }
    }
    for documents in changes {
        let versions = session::versions(conn, &core.texts, documents).await?;
        for (id, change) in &documents.changes {
            let (actual, deleted) = versions.get(&id.to_string()).copied().unwrap_or((0, false));
            let collection = documents.collection.name;
            match change {
                Change::Put(_) | Change::Replace(..) if deleted => {
                    return Ok(Error::DocDeleted { collection, id: id.to_string() });
                }
                Change::Replace(_, 0) if actual > 0 => {
                    return Ok(Error::AlreadyExists { collection, id: id.to_string() });
                }
                Change::Replace(_, expected) if *expected != actual => {
                    return Ok(documents::conflict(documents.collection, id, *expected, actual));
                }
                _ => {}
            }
        }
    }
    Ok(match appends.iter().find(|append| append.key.is_some()) {
        Some(append) => appends::other_events(append),
        None => Error::Contention(sqlx::Error::Protocol("what the session found in its way is gone again".to_owned())),
    })
}
