//! Where a projection goes on when it is taken up.

use super::{Core, handling};
use crate::model::{Registered, Work};
use crate::storage::epochs;
use crate::storage::projections::{self, Lease};
use crate::{Error, Result};

/// Where to go on in this history: in another epoch, behind the last event processed. `None`: the lease is lost.
pub(super) async fn go_on(core: &Core, registered: &Registered, lease: Lease) -> Result<Option<i64>> {
    let (name, kept) = (&*registered.name, lease.checkpoint);
    let mut conn = core.pool.acquire().await?;
    let known = epochs::resume(&mut conn, &core.texts, &kept).await?;
    let known = known.ok_or_else(|| Error::HistoryDiverged { name: name.to_owned(), position: kept.position })?;
    let entered = known == kept || projections::enter_epoch(&mut conn, &core.texts, name, lease.token, &known).await?;
    Ok(entered.then_some(known.position))
}

/// Begins a projection anew: what it wrote is emptied in the same transaction. `false`: the lease is lost.
pub(super) async fn restart(core: &Core, registered: &Registered, token: i64) -> Result<bool> {
    let mut tx = core.pool.begin().await?;
    if !projections::restart(&mut tx, &core.texts, &registered.name, token, registered.version).await? {
        return Ok(false);
    }
    match &registered.work {
        Work::Documents(_, collection) => projections::empty(&mut tx, &core.texts, collection).await?,
        Work::Sql(handler) => handling::empty(registered, &**handler, &mut tx).await?,
    }
    tx.commit().await?;
    Ok(true)
}
