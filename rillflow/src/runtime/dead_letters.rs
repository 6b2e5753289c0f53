//! Dead letters: trying again what a projection failed on, in order, or giving it up.

use sqlx::{Connection, Postgres, Transaction};
use uuid::Uuid;

use super::SharedCore;
use super::append::project;
use super::daemon::DaemonConfig;
use super::handling::call;
use crate::model::{EventEnvelope, OnFailure, Registered, Work};
use crate::storage::letters::{self, Letters, storable};
use crate::storage::{failure, projections};
use crate::{Error, Result};

/// What became of dead letters that were tried again.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Requeued {
    /// How many events took effect, and are dead letters no more.
    pub applied: u64,
    /// How many of the same key still wait.
    pub waiting: u64,
    /// The letter that failed again, and why.
    pub failed: Option<(i64, Error)>,
}

/// What to do with a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Apply it, and what waits behind it.
    Requeue,
    /// The same, and nothing of it stays.
    DryRun,
    /// Remove it, and apply what waits behind it.
    Delete,
}

/// Takes up letters, in one transaction that keeps the projection's owner from writing meanwhile.
pub(crate) async fn retry(
    core: &SharedCore,
    registered: &Registered,
    config: DaemonConfig,
    letters: Letters<'_>,
    retry: Retry,
) -> Result<Requeued> {
    let (texts, name) = (&core.texts, &*registered.name);
    let mut tx = core.pool.begin().await?;
    // the rows stay locked; what their owners have in hand was folded from older documents, and is refused by its token
    let owner = Uuid::new_v4();
    if projections::seize_leases(&mut tx, texts, name, owner, config.lease_ttl).await?.is_empty() {
        return Err(Error::UnknownProjection { name: name.to_owned() });
    }
    projections::guard_batch(&mut tx, texts, config.lease_ttl).await?;
    let parks = registered.on_failure == OnFailure::Park;
    let mut group = letters::together(&mut tx, texts, name, letters, parks).await?;
    if let (Letters::One(id), true) = (letters, group.is_empty()) {
        return Err(Error::UnknownDeadLetter { projection: name.to_owned(), id });
    }
    if let (Letters::One(id), Retry::Delete) = (letters, retry) {
        letters::delete(&mut tx, texts, name, id).await?;
        group.retain(|&letter| letter != id);
    }
    let mut done = Requeued { waiting: group.len() as u64, ..Default::default() };
    for letter in group {
        match apply(&mut tx, core, registered, config, letter).await {
            Ok(()) => (done.applied, done.waiting) = (done.applied + 1, done.waiting - 1),
            Err(error) if failure::passing(&error) => return Err(error),
            Err(error) => {
                letters::failed_again(&mut tx, texts, letter, &storable(&error.to_string())).await?;
                done.failed = Some((letter, error));
                break;
            }
        }
    }
    if retry == Retry::DryRun {
        tx.rollback().await?;
    } else {
        projections::leave_work(&mut tx, texts, owner).await?;
        tx.commit().await?;
    }
    Ok(done)
}

/// Applies one letter behind a savepoint: all of it, or nothing and the error.
async fn apply(
    tx: &mut Transaction<'static, Postgres>,
    core: &SharedCore,
    registered: &Registered,
    config: DaemonConfig,
    letter: i64,
) -> Result<()> {
    let mut savepoint = tx.begin().await?;
    let applied = match letters::event(&mut savepoint, &core.texts, letter).await? {
        Some(event) => handle(&mut savepoint, core, registered, config, event).await,
        None => Ok(()), // its stream was deleted: there is nothing to apply
    };
    match applied {
        Ok(()) => {
            letters::delete(&mut savepoint, &core.texts, &registered.name, letter).await?;
            Ok(savepoint.commit().await?)
        }
        Err(error) => {
            savepoint.rollback().await?;
            Err(error)
        }
    }
}

async fn handle(
    tx: &mut Transaction<'_, Postgres>,
    core: &SharedCore,
    registered: &Registered,
    config: DaemonConfig,
    event: EventEnvelope,
) -> Result<()> {
    match &registered.work {
        Work::Documents(..) => project(tx, core, registered, vec![event]).await,
        Work::Sql(handler) => call(registered, &**handler, &event, tx, config.lease_ttl).await,
    }
}
