//! Inline read models in tables that tenants share, where nothing can be swapped: one tenant's rows are made anew in their
//! place, while its appends are refused and nobody else's are.

use std::time::Duration;

use super::swap::fold_after;
use crate::model::{Collection, Registered};
use crate::runtime::SharedCore;
use crate::runtime::backoff::Backoff;
use crate::sql::beside;
use crate::storage::{failure, inline, projections, tenants};
use crate::{Error, Result};

/// How long the wait for open appends holds up others, in milliseconds, before it lets them pass; how long it then pauses,
/// and how often it tries.
const LOCK_TIMEOUT: u64 = 1_000;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const TRIES: u32 = 100;

/// Of nobody's version: no append writes it.
const CLOSED: i32 = 0;

/// Builds a tenant's read model anew, and says how many events were handled. Its readers see the old one until then.
pub(super) async fn rebuild(core: &SharedCore, live: &Registered, collection: &'static Collection) -> Result<u64> {
    let before = close(core, live).await?;
    let built = build(core, live, collection).await;
    if let (Err(_), Some(before)) = (&built, before) {
        // nothing was changed, and nobody appended: whoever wrote it goes on
        let mut conn = core.pool.acquire().await?;
        inline::replaced(&mut conn, &core.texts, &live.name, before, Some(CLOSED)).await?;
    }
    built
}

/// Lets no append write it from here on; the version that it was of.
async fn close(core: &SharedCore, live: &Registered) -> Result<Option<i32>> {
    let mut conn = core.pool.acquire().await?;
    let before = inline::versions(&mut conn, &core.texts, &[&live.name]).await?.pop().and_then(|(_, version)| version);
    inline::replaced(&mut conn, &core.texts, &live.name, CLOSED, None).await?;
    Ok(before)
}

async fn build(core: &SharedCore, live: &Registered, collection: &'static Collection) -> Result<u64> {
    wait_for_writers(core, collection).await?;
    let (texts, name) = (&core.texts, &*live.name);
    let mut tx = core.pool.begin().await?;
    // its row stays locked until all is done: who closes it anew, or builds it too, waits
    if !inline::replaced(&mut tx, texts, name, live.version, Some(CLOSED)).await? {
        return Err(Error::RebuildLost { name: name.to_owned() });
    }
    projections::empty(&mut tx, texts, collection).await?;
    let handled = fold_after(&mut tx, core, live, collection, 0, usize::MAX).await?;
    tx.commit().await?;
    Ok(handled.unwrap_or_default())
}

/// Waits for the appends that began before it was closed.
async fn wait_for_writers(core: &SharedCore, collection: &Collection) -> Result<()> {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let mut tx = core.pool.begin().await?;
        let table = beside::table(collection);
        match tenants::wait_for_writers(&mut tx, &core.texts, table, LOCK_TIMEOUT).await {
            Ok(()) => return Ok(tx.commit().await?),
            Err(error) if failure::passing(&error) && backoff.tries() < TRIES => tx.rollback().await?,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(backoff.next()).await;
    }
}
