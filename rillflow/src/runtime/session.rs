//! A session's commit: one statement, or one transaction when projections run inline.

use sqlx::{Connection, PgConnection};

use super::append::{outcome_unknown, project};
use super::marks::Marks;
use super::{Core, SharedCore};
use crate::model::Appended;
use crate::observe::{Appending, operation};
use crate::storage::append::{self as appends, Append, Outcome};
use crate::storage::failure::{refused, repeated};
use crate::storage::session::{self, Change, Documents, Staged, Written};
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

/// Commits in a transaction of its own.
pub(crate) async fn commit(core: &SharedCore, staged: &Staged<'_>) -> Result<Written> {
    let seen: Vec<_> = staged.appends.iter().map(|append| Appending::of(&core.observer, append)).collect();
    let events = staged.appends.iter().map(|append| append.events.len()).sum();
    let written = operation!(core, "commit", "session").events(events).run(commit_all(core, staged)).await;
    seen.into_iter().for_each(|it| it.went(written.as_ref().err()));
    written
}

async fn commit_all(core: &SharedCore, staged: &Staged<'_>) -> Result<Written> {
    if staged.is_empty() {
        return Ok(Written { appends: Vec::new(), versions: Vec::new() });
    }
    let mut conn = core.pool.acquire().await?;
    let written = if core.inline().next().is_some() && !staged.appends.is_empty() {
        let mut tx = conn.begin().await?;
        match commit_on(&mut tx, core, staged).await {
            Ok(written) => tx.commit().await.map(|()| written).map_err(|e| unknown(&staged.appends, e.into())),
            Err(error) => tx.rollback().await.map_or_else(|e| Err(e.into()), |()| Err(error)),
        }
    } else {
        session::commit(&mut conn, &core.texts, staged).await.map_err(|e| unknown(&staged.appends, e))
    };
    match written {
        Err(error) if refused(&error) => Err(conflict(&mut conn, core, &staged.appends, &staged.documents).await?),
        Err(error) if repeated(&error).is_some() => {
            Err(staged.appends.first().map_or(error, |it| appends::other_events(it)))
        }
        Ok(written) => {
            Marks::appended(core, highest(&written));
            Ok(written)
        }
        Err(error) => Err(error),
    }
}

/// Commits on a connection whose transaction belongs to the caller.
pub(crate) async fn commit_on(conn: &mut PgConnection, core: &Core, staged: &Staged<'_>) -> Result<Written> {
    let written = session::commit(conn, &core.texts, staged).await?;
    for (append, outcome) in staged.appends.iter().zip(&written.appends) {
        if let Outcome::Appended(appended) = outcome
            && !appended.repeated
        {
            for registered in core.inline() {
                project(conn, core, &*registered.projection, append.envelopes(appended)).await?;
            }
        }
    }
    Ok(written)
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
