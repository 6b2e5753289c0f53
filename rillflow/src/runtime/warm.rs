//! Warm connections: kept from one short question to the next, with their prepared statements.
//!
//! A pool asks a connection for a sign of life whenever it comes back: a task and a round trip more per use, which is
//! more than a point read costs. Here a connection that answered as it should rests for a moment, at hand for the next
//! question. One that failed, or whose answer was given up, goes to the pool, which checks it.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use sqlx::{PgConnection, Postgres, Transaction};
use tokio::runtime::Handle;

use super::connections::Connection;
use super::{Core, SharedCore};
use crate::Result;

/// One that rested this long is given back to the pool.
const REST: Duration = Duration::from_millis(100);
/// However busy, one is given back after this long, so that the pool's own rules, such as a lifetime, reach it.
const KEPT: Duration = Duration::from_secs(10);

/// The connections of a store that rest.
#[derive(Debug, Default)]
pub(crate) struct Warm(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The last one rested least.
    resting: Vec<Resting>,
    /// Whether a task gives back those that rested.
    watched: bool,
}

#[derive(Debug)]
struct Resting {
    conn: Connection,
    taken: Instant,
    since: Instant,
}

impl Warm {
    fn state(&self) -> MutexGuard<'_, State> {
        // every change under it is whole before anything can panic
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        if Handle::try_current().is_err() {
            // the pool would spawn a task for each; without a runtime they can only be closed
            self.state().resting.drain(..).for_each(|it| drop(it.conn.leak()));
        }
    }
}

/// A connection for one question. Dropped, it goes to the pool, which checks it.
pub(crate) struct Lent<'c> {
    core: &'c SharedCore,
    conn: Connection,
    taken: Instant,
}

/// A connection that rests, or one of the pool.
pub(crate) async fn connection(core: &SharedCore) -> Result<Lent<'_>> {
    let rested = core.warm.state().resting.pop();
    Ok(match rested {
        Some(Resting { conn, taken, .. }) => Lent { core, conn, taken },
        None => Lent { core, conn: core.pool.acquire().await?, taken: Instant::now() },
    })
}

/// Asks a short question, and lets the connection rest when it was answered.
pub(crate) async fn ask<T>(core: &SharedCore, question: impl AsyncFnOnce(&mut PgConnection) -> Result<T>) -> Result<T> {
    let mut conn = connection(core).await?;
    let answer = question(&mut conn).await?;
    conn.rest();
    Ok(answer)
}

impl Lent<'_> {
    /// As [`Connection::begin`].
    pub(crate) async fn begin(&mut self) -> Result<Transaction<'_, Postgres>> {
        self.conn.begin().await
    }

    /// Closes it without a word: it does not answer.
    pub(crate) fn give_up(self) {
        drop(self.conn.detach());
    }

    /// Lets it rest after its answer was read to the end; unless somebody may be waiting for a connection of the pool.
    pub(crate) fn rest(self) {
        let Self { core, conn, taken } = self;
        if core.pool.tenant().is_some() {
            return conn.rest(); // among those of all tenants, whose need comes first
        }
        let most = core.pool.most() as usize / 2;
        if taken.elapsed() > KEPT || core.pool.is_used_up() {
            return;
        }
        let mut state = core.warm.state();
        if state.resting.len() < most {
            state.resting.push(Resting { conn, taken, since: Instant::now() });
            if !std::mem::replace(&mut state.watched, true) {
                tokio::spawn(watch(Arc::downgrade(core)));
            }
        }
    }
}

/// Gives back what rested, and ends when nothing does any more.
async fn watch(core: Weak<Core>) {
    loop {
        tokio::time::sleep(REST).await;
        let Some(core) = core.upgrade() else { return };
        let mut state = core.warm.state();
        let tired = state.resting.iter().take_while(|it| it.since.elapsed() >= REST).count();
        let tired: Vec<_> = state.resting.drain(..tired).collect();
        state.watched = !state.resting.is_empty();
        let done = !state.watched;
        drop(state);
        drop(tired);
        if done {
            return;
        }
    }
}

impl Deref for Lent<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.conn
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.conn
    }
}
