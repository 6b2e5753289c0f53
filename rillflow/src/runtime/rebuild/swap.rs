//! Putting what was built in the place of the live model.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;

use super::building::Building;
use super::{OnProgress, SWAP_WAITS};
use crate::Result;
use crate::model::{Collection, Lifecycle, Registered, Work};
use crate::runtime::Core;
use crate::runtime::append::{fold, look_up, push_all};
use crate::runtime::backoff::Backoff;
use crate::runtime::shards::Held;
use crate::sql::beside::{self, Beside};
use crate::storage::{documents, events, failure, inline, projections, rebuild as beside_the_live_one};

/// How many events are folded at once while an inline projection waits.
const PAGE: i64 = 1000;
/// How many pages of them at most: with more the rebuild catches up again first.
const PAGES: usize = 10;

impl Building<'_> {
    /// Stops the live model where it is, passes it, and takes its place.
    pub(super) async fn swap(&mut self, progress: &mut OnProgress<'_>) -> Result<()> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        loop {
            let swapped = match self.live.lifecycle {
                Lifecycle::Async => self.swap_behind(progress).await,
                Lifecycle::Inline => self.swap_inline(progress).await,
            };
            match swapped {
                Ok(true) => return Ok(()),
                // the live one moved on, or its readers did not let us in: let everybody pass
                Ok(false) => {}
                Err(error) if failure::passing(&error) && backoff.tries() < 100 => {
                    tracing::debug!(%error, projection = &*self.live.name, "the swap gave way; trying again");
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    /// A model that is written behind the appends has owners, which are stopped.
    async fn swap_behind(&mut self, progress: &mut OnProgress<'_>) -> Result<bool> {
        let held = Held::seize(self.core, &self.live.name, self.config.lease_ttl).await?;
        let swapped = match self.catch_up(progress).await {
            Ok(()) => self.swap_held(&held).await,
            Err(error) => Err(error),
        };
        if !matches!(swapped, Ok(true)) {
            held.release().await?;
        }
        swapped
    }

    async fn swap_held(&self, held: &Held) -> Result<bool> {
        let (texts, name) = (&self.core.texts, &*self.live.name);
        let mut tx = self.core.pool.begin().await?;
        beside_the_live_one::bound_locks(&mut tx, texts, SWAP_WAITS).await?;
        let (token, which) = (held.token(), Beside::Rebuild);
        if !beside_the_live_one::swap(&mut tx, texts, name, token, self.collection, which).await? {
            return Ok(false);
        }
        if let Some(shards) = self.split_anew(held) {
            projections::split(&mut tx, texts, name, None, shards).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Into how many shards a new version is split; `None`: as the old one.
    fn split_anew(&self, held: &Held) -> Option<i32> {
        let of_another_version = held.shards.iter().any(|(_, lease)| lease.version != self.live.version);
        (of_another_version || self.live.shards.is_none()).then(|| self.live.first_shards())
    }

    /// An inline model is written by appends. With its table locked, all that wrote to it have committed, so that their
    /// events are seen, above the mark as well; and those that wait for the lock write to the new one, as their events
    /// are not seen here.
    async fn swap_inline(&mut self, progress: &mut OnProgress<'_>) -> Result<bool> {
        self.catch_up(progress).await?;
        let Some(position) = self.position() else { return Ok(false) };
        let (texts, name) = (&self.core.texts, &*self.live.name);
        let mut tx = self.core.pool.begin().await?;
        beside_the_live_one::bound_locks(&mut tx, texts, SWAP_WAITS).await?;
        beside_the_live_one::lock_live(&mut tx, texts, self.collection).await?;
        let built = beside::collection(self.collection)?;
        let rest = fold_after(&mut tx, self.core, self.live, built, position, PAGES).await?;
        let Some(handled) = rest else { return Ok(false) };
        if !beside_the_live_one::swap(&mut tx, texts, name, 0, self.collection, Beside::Rebuild).await? {
            return Err(self.lost());
        }
        // without a checkpoint nobody could bring it up to date
        beside_the_live_one::give_up(&mut tx, texts, name, self.collection, Beside::Old).await?;
        inline::replaced(&mut tx, texts, name, self.live.version, None).await?;
        tx.commit().await?;
        self.handled += handled;
        Ok(true)
    }
}

/// Folds everything that has been committed behind a position, above the mark too. How many events that were; `None`: it is
/// more than so many pages.
pub(super) async fn fold_after(
    conn: &mut PgConnection,
    core: &Core,
    live: &Registered,
    into: &'static Collection,
    mut position: i64,
    pages: usize,
) -> Result<Option<u64>> {
    let Work::Documents(projection, _) = &live.work else { return Ok(None) };
    let texts = &core.texts;
    let types: Option<Vec<&str>> = live.types.as_deref().map(|it| it.iter().map(|name| &**name).collect());
    let mut handled = 0;
    for _ in 0..pages {
        let events = events::read_all(conn, texts, position, i64::MAX, types.as_deref(), PAGE).await?;
        let Some(last) = events.last() else { return Ok(Some(handled)) };
        (position, handled) = (last.global_seq, handled + events.len() as u64);
        let mut batch = projection.batch();
        push_all(&**projection, &mut *batch, events.into_iter().map(Arc::new).collect())?;
        if !batch.is_empty() {
            documents::load_batch(conn, texts, into, &mut *batch, false).await?;
            look_up(conn, core, &mut *batch).await?;
            fold(&**projection, &mut *batch)?;
            documents::write_batch(conn, texts, into, batch.changes()?, None).await?;
        }
    }
    Ok(None)
}
