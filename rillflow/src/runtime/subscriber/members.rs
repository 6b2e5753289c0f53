//! The members of this process: one task keeps all of them alive, with one statement.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use uuid::Uuid;

use super::consumer::asked;
use super::{End, Shared};
use crate::Result;
use crate::runtime::backoff::Backoff;
use crate::runtime::listener::{Listener, Listening};
use crate::runtime::{SharedCore, Task};
use crate::storage::subscriptions::{self, Tended};

/// The members of a store in this process.
#[derive(Debug, Default)]
pub(crate) struct Members {
    state: Mutex<State>,
    wake: Arc<Notify>,
    /// Held while a statement keeps members alive: one that leaves must not be brought back by it.
    tending: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    joined: HashMap<Uuid, Arc<Shared>>,
    tender: Weak<Task>,
}

/// Keeps a member alive until it is dropped.
#[derive(Debug)]
pub(super) struct Membership {
    core: SharedCore,
    member: Uuid,
    _tender: Arc<Task>,
    _listening: Listening,
}

impl Members {
    fn state(&self) -> MutexGuard<'_, State> {
        // every change under it is whole before anything can panic
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tends the members soon, as something may have been missed.
    pub(crate) fn look_again(&self) {
        self.wake.notify_one();
    }

    /// Another process, or this one, says that something moved in a subscription.
    pub(crate) fn heard(&self, subscription: &str) {
        let state = self.state();
        let mut anybody = false;
        for shared in state.joined.values().filter(|it| it.key.subscription == subscription) {
            shared.window().reload = true;
            shared.work.notify_one();
            anybody = true;
        }
        if anybody {
            self.wake.notify_one();
        }
    }

    /// Makes a member known, and keeps it alive.
    pub(super) fn join(core: &SharedCore, shared: &Arc<Shared>) -> Membership {
        let mut state = core.members.state();
        let tender = state.tender.upgrade().unwrap_or_else(|| Arc::new(Task::spawn(keep_alive(core.clone()))));
        state.tender = Arc::downgrade(&tender);
        state.joined.insert(shared.member, shared.clone());
        drop(state);
        core.members.wake.notify_one();
        Membership { core: core.clone(), member: shared.member, _tender: tender, _listening: Listener::share(core) }
    }

    /// Ends a membership at once: what it holds is free.
    pub(super) async fn leave(membership: Membership, shared: &Shared) -> Result<()> {
        let core = membership.core.clone();
        core.members.state().joined.remove(&membership.member);
        // a statement under way is awaited: given up with its task, it would bring the member back when it is done
        let _nobody_tends = core.members.tending.lock().await;
        drop(membership);
        let dropped = shared.dropped();
        let mut conn = core.pool.acquire().await?;
        let answer = asked(subscriptions::leave(&mut conn, &core.texts, &shared.key, shared.member, &dropped)).await;
        answer.settle(conn)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.core.members.state().joined.remove(&self.member);
    }
}

async fn keep_alive(core: SharedCore) {
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
    loop {
        let pause = match tend(&core).await {
            Ok(pause) => {
                backoff.reset();
                pause
            }
            Err(error) => {
                tracing::warn!(%error, "could not keep the members of subscriptions alive; trying again");
                core.members.state().joined.values().for_each(|it| it.failed(&error));
                tokio::time::sleep(backoff.next()).await;
                continue;
            }
        };
        // an elapsed pause is as good a reason to tend as a wake-up
        let _elapsed = tokio::time::timeout(pause, core.members.wake.notified()).await;
    }
}

/// Keeps every member alive, tells each what it holds, and says how soon that must be done again.
async fn tend(core: &SharedCore) -> Result<Duration> {
    let _nobody_leaves = core.members.tending.lock().await;
    let joined: Vec<_> = core.members.state().joined.values().cloned().collect();
    let Some(shortest) = joined.iter().map(|it| it.ttl).min() else { return Ok(Duration::from_secs(60)) };
    let mut tended: Vec<_> =
        joined.iter().map(|it| Tended { key: it.key.clone(), member: it.member, ttl: it.ttl }).collect();
    tended.sort_unstable(); // the order in which groups are locked
    let begun = Instant::now();
    let mut conn = core.pool.acquire().await?;
    let answer = asked(subscriptions::tend(&mut conn, &core.texts, &tended)).await;
    let mut holdings = answer.settle(conn)?;
    for shared in joined {
        match holdings.remove(&shared.member) {
            Some(holding) => shared.hold(holding, begun + shared.ttl),
            None => shared.finish(End::Deleted),
        }
    }
    Ok(shortest / 3)
}
