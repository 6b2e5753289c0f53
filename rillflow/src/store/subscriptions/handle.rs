//! What one does with a subscription that runs.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;

use crate::model::GroupStatus;
use crate::runtime::subscriber::{Running, Shared, SubscriptionHealth};
use crate::runtime::{SharedCore, Task};
use crate::storage::{marks, subscriptions};
use crate::{Error, Result};

/// A running subscription: acknowledges its events, and ends it.
///
/// Dropping it stops its task where it is: what was not acknowledged comes again, to whoever subscribes next, once its
/// lease has run out. [`shutdown`](Self::shutdown) gives everything back at once. Share it among tasks by an [`Arc`].
#[derive(Debug)]
#[must_use = "the subscription stops when its handle is dropped"]
pub struct SubscriptionHandle {
    core: SharedCore,
    running: Running,
}

impl SubscriptionHandle {
    pub(super) fn new(core: SharedCore, shared: Arc<Shared>, task: Task) -> Self {
        Self { core, running: Running::new(shared, [task]) }
    }

    /// Acknowledges the event at a position, and returns once that is stored. One that is done already is no error.
    ///
    /// In any order: the checkpoint moves up to the first event that is not done, and what is done beyond it is kept too.
    /// Acknowledgements that are asked for at the same time share a statement. They do not wait for the disk: after a
    /// crash of the server the last of them may have to be done again.
    ///
    /// # Errors
    ///
    /// [`Error::SubscriptionLost`] when another member has the event by now, [`Error::NotDelivered`] when it was not
    /// delivered here.
    pub async fn ack(&self, position: i64) -> Result<()> {
        self.running.shared.ack(&[position]).await
    }

    /// Acknowledges every event that was taken here up to a position, as one.
    ///
    /// # Errors
    ///
    /// As [`ack`](Self::ack).
    pub async fn ack_up_to(&self, position: i64) -> Result<()> {
        self.running.shared.ack_up_to(position).await
    }

    /// Acknowledges the event at a position in the caller's own transaction: what the transaction writes happens once,
    /// however often the event is delivered.
    ///
    /// Locks the partition until the transaction ends, so do it last: the server ends a transaction that stands idle after it
    /// for more than [`lease_ttl`](crate::subscriptions::SubscriptionOptions::lease_ttl) and a quarter. When the transaction is rolled back the event is
    /// still in hand: acknowledge it in another, or [`nack`](Self::nack) it.
    ///
    /// # Errors
    ///
    /// [`Error::SubscriptionLost`] when another member has the event by now, [`Error::AlreadyAcked`] when the effect is
    /// there already. Both leave a transaction that cannot commit: roll it back.
    pub async fn ack_in_tx(&self, tx: &mut PgConnection, position: i64) -> Result<()> {
        self.core.join(tx).await?;
        self.running.shared.ack_in(&self.core, tx, position).await
    }

    /// Has an event delivered again after a pause, before any later event of its stream that was not taken yet. After
    /// [`max_attempts`](crate::subscriptions::SubscriptionOptions::max_attempts) it becomes a dead letter.
    ///
    /// # Errors
    ///
    /// As [`ack_in_tx`](Self::ack_in_tx), and [`Error::NotDelivered`] when it was not delivered here.
    pub async fn nack(&self, position: i64, pause: Duration, reason: impl Display) -> Result<()> {
        self.running.shared.nack(&self.core, position, Some(pause), &reason.to_string(), 1).await
    }

    /// Makes a dead letter of an event at once.
    ///
    /// # Errors
    ///
    /// As [`nack`](Self::nack).
    pub async fn dead_letter(&self, position: i64, reason: impl Display) -> Result<()> {
        self.running.shared.nack(&self.core, position, None, &reason.to_string(), 1).await
    }

    /// Up to where every event is done, in all partitions of the group, as it is stored.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSubscription`] when it was deleted.
    pub async fn checkpoint(&self) -> Result<i64> {
        Ok(self.status().await?.position)
    }

    /// How far the group is, and who belongs to it.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSubscription`] when it was deleted.
    pub async fn status(&self) -> Result<GroupStatus> {
        let (core, key) = (&self.core, &self.running.shared.key);
        let mut conn = core.pool.acquire().await?;
        let mark = marks::safe_mark(&mut conn, &core.texts).await?.mark;
        let status = subscriptions::status(&mut conn, &core.texts, &key.subscription, Some(&key.group), mark).await?;
        status.into_iter().next().ok_or_else(|| Error::UnknownSubscription { name: key.subscription.clone() })
    }

    /// Stops the delivery to the whole group, in every process.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSubscription`] when it was deleted.
    pub async fn pause(&self) -> Result<()> {
        self.set_status("paused").await
    }

    /// Lets the group go on.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn resume(&self) -> Result<()> {
        self.set_status("running").await
    }

    async fn set_status(&self, status: &str) -> Result<()> {
        let (core, key) = (&self.core, &self.running.shared.key);
        let mut conn = core.pool.acquire().await?;
        let changed =
            subscriptions::set_status(&mut conn, &core.texts, &key.subscription, Some(&key.group), status).await?;
        super::known(&key.subscription, changed > 0)
    }

    /// What this member has in hand, and what keeps it from going on. Asks nobody.
    #[must_use]
    pub fn health(&self) -> SubscriptionHealth {
        self.running.health()
    }

    /// Stores what is acknowledged, gives back what is held, so that another member has it at once, and ends the task.
    /// What is in hand and not acknowledged is delivered again elsewhere.
    ///
    /// # Errors
    ///
    /// What ended the subscription before, if anything did: [`Error::HistoryDiverged`], [`Error::UnknownSubscription`].
    pub async fn shutdown(&self) -> Result<()> {
        self.running.shutdown().await
    }
}
