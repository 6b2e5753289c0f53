//! Epochs, and readers outside of the store.

use super::Events;
use crate::model::Checkpoint;
use crate::storage::epochs::{self, Epoch};
use crate::{Error, Result};

impl Events<'_> {
    /// Begins a new history. To be called once after a standby took over or a backup was restored, before anybody appends:
    /// from then on no position is used that a lost event may have had.
    ///
    /// The next position is a million above the last one that this database knows. Projections, and readers that go on
    /// with a [`Checkpoint`], get [`Error::HistoryDiverged`] when they saw what is lost, and miss nothing when they did
    /// not.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] when the schema was not synced.
    pub async fn begin_epoch(self) -> Result<Epoch> {
        let mut conn = self.core.pool.acquire().await?;
        epochs::begin(&mut conn, &self.core.texts).await
    }

    /// Checks that a reader's checkpoint is of this history, and returns it as it goes on from there.
    ///
    /// ```no_run
    /// # use rillflow::{Checkpoint, EventEnvelope, Store};
    /// # async fn handle(event: &EventEnvelope) {}
    /// # async fn example(store: Store, kept: String) -> rillflow::Result<()> {
    /// let mut checkpoint = store.events().resume(&kept.parse()?).await?;
    /// loop {
    ///     let page = store.events().all().after(checkpoint.position()).types(["order-placed"]).page().await?;
    ///     for event in &page.events {
    ///         handle(event).await;
    ///         checkpoint.processed(event);
    ///     }
    ///     checkpoint.passed(page.position);
    ///     // keep `checkpoint.to_string()` with what was done
    /// #   break;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::HistoryDiverged`] when the last event that was processed is not at its position here, or when this history
    /// has not come so far: build what the reader keeps anew, from `Checkpoint::default()`.
    pub async fn resume(self, checkpoint: &Checkpoint) -> Result<Checkpoint> {
        let mut conn = self.core.pool.acquire().await?;
        let resumed = epochs::resume(&mut conn, &self.core.texts, checkpoint).await?;
        let diverged = || Error::HistoryDiverged { name: checkpoint.to_string(), position: checkpoint.position };
        resumed.ok_or_else(diverged)
    }
}
