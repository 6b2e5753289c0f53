//! Bringing a schema up to date, from any number of processes at once.

use std::time::Duration;

use sqlx::PgConnection;

use super::Core;
use super::plan::{self, Found};
use crate::model::{SchemaConfig, SchemaStep};
use crate::sql::Texts;
use crate::sql::wanted::Wanted;
use crate::storage::schema;
use crate::{Error, Result};

/// How often a process that finds another one changing the schema looks again.
const POLL: Duration = Duration::from_millis(50);

/// How long a step waits for a table that is in use, in milliseconds, before it lets those behind it pass; how long it
/// then pauses, and how often it tries.
const LOCK_TIMEOUT: u64 = 2_000;
const LOCK_PAUSE: Duration = Duration::from_secs(1);
const LOCK_TRIES: u32 = 20;

/// How often a plan is made and followed: what one round changes may show what another one has to do.
const ROUNDS: u32 = 4;

/// What a sync did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaChanges {
    /// Each step taken, in order. Empty when everything was there.
    pub steps: Vec<String>,
    /// Destructive steps that were not taken, as nobody allowed them.
    pub left: Vec<SchemaStep>,
}

/// How far a sync is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SchemaProgress<'s> {
    /// The step that is about to be taken.
    pub step: &'s SchemaStep,
    /// How many of this round are done.
    pub done: usize,
    /// How many there are in this round.
    pub total: usize,
}

/// Makes what is missing, and what is other than it should be.
pub(crate) async fn sync(
    core: &Core,
    texts: &Texts,
    wanted: Wanted<'_>,
    config: &SchemaConfig,
    progress: &mut (dyn FnMut(SchemaProgress<'_>) + Send),
) -> Result<SchemaChanges> {
    let mut conn = core.pool.acquire().await?;
    if is_settled(&mut conn, texts, wanted, config).await? {
        return Ok(SchemaChanges::default());
    }
    drop(conn);
    // when it closes, for whatever reason, the lock is gone
    let mut conn = core.session("a change of the schema").await?;
    while !schema::try_lock(&mut conn, texts).await? {
        tokio::time::sleep(POLL).await;
    }
    let changes = match is_settled(&mut conn, texts, wanted, config).await? {
        true => SchemaChanges::default(), // somebody else has done it meanwhile
        false => work(&mut conn, texts, wanted, config, progress).await?,
    };
    sqlx::Connection::close(conn).await?;
    Ok(changes)
}

/// Whether a sync that wants the same left the schema as it is now.
async fn is_settled(conn: &mut PgConnection, texts: &Texts, wanted: Wanted<'_>, config: &SchemaConfig) -> Result<bool> {
    let Some(state) = schema::state(conn, texts, wanted).await? else { return Ok(false) };
    if let Some(refusal) = plan::refusal(texts, state.order) {
        return Err(refusal);
    }
    // differences that were left stay left, unless they may be mended now
    Ok(state.synced.is_some_and(|complete| complete || !config.allows_destructive()))
}

async fn work(
    conn: &mut PgConnection,
    texts: &Texts,
    wanted: Wanted<'_>,
    config: &SchemaConfig,
    progress: &mut (dyn FnMut(SchemaProgress<'_>) + Send),
) -> Result<SchemaChanges> {
    let mut changes = SchemaChanges::default();
    for _round in 0..ROUNDS {
        let (steps, relations) = match plan::compare(conn, texts, wanted).await? {
            Found::Nothing(steps) => return create(conn, texts, wanted, steps).await,
            Found::Something(plan, relations) => (plan.steps, relations),
        };
        let (steps, left): (Vec<_>, Vec<_>) = steps.into_iter().partition(|step| config.allows(step));
        if steps.is_empty() {
            schema::record(conn, texts, wanted, &relations, left.is_empty()).await?;
            if !is_settled(conn, texts, wanted, config).await? && left.is_empty() {
                continue; // changed by somebody else in this very moment
            }
            return Ok(SchemaChanges { left, ..changes });
        }
        for (done, step) in steps.iter().enumerate() {
            progress(SchemaProgress { step, done, total: steps.len() });
            take(conn, step).await?;
            changes.steps.push(step.description.clone());
        }
    }
    Err(Error::Schema {
        problem: format!(
            "schema `{}` is not as it should be after {ROUNDS} rounds: {:?}",
            texts.schema(),
            changes.steps
        ),
        help: "somebody else changes it at the same time, or takes back what a sync does: look at `schema().plan(..)`"
            .to_owned(),
    })
}

/// Makes everything in one transaction, and notes it.
async fn create(
    conn: &mut PgConnection,
    texts: &Texts,
    wanted: Wanted<'_>,
    steps: Vec<SchemaStep>,
) -> Result<SchemaChanges> {
    let all: Vec<_> = steps.iter().map(SchemaStep::sql).collect();
    schema::create(conn, texts, &all.join(";\n")).await?;
    schema::record(conn, texts, wanted, &wanted.relations(), true).await?;
    let steps = steps.into_iter().map(|step| step.description).collect();
    Ok(SchemaChanges { steps, left: Vec::new() })
}

/// Takes a step. While a table that it locks is in use, it tries again and again, so that nobody waits behind it for long.
async fn take(conn: &mut PgConnection, step: &SchemaStep) -> Result<()> {
    for statement in &step.statements {
        // a build beside the traffic waits for all of it, and holds nobody up meanwhile
        let timeout = if statement.contains(" CONCURRENTLY ") { 0 } else { LOCK_TIMEOUT };
        schema::set_lock_timeout(conn, timeout).await?;
        let mut tries = 0;
        loop {
            match schema::run(conn, statement).await {
                Err(Error::Contention(error)) if tries < LOCK_TRIES => {
                    tries += 1;
                    tracing::info!(step = step.description, %error, "a table is in use; trying again");
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                Err(source) => return Err(Error::SchemaStep { step: step.description.clone(), source: source.into() }),
                Ok(()) => break,
            }
        }
    }
    Ok(())
}
