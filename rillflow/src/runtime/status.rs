//! How far projections are, the inline ones too.

use super::SharedCore;
use super::ticks::look;
use crate::model::Registered;
use crate::storage::projections::{self, ProjectionStatus};
use crate::{Error, Result};

/// All projections, by name.
pub(crate) async fn all(core: &SharedCore) -> Result<Vec<ProjectionStatus>> {
    let mut conn = core.pool.acquire().await?;
    let mut all = projections::status(&mut conn, &core.texts, None).await?;
    drop(conn);
    for registered in core.inline() {
        all.retain(|it| *it.name != *registered.name);
        all.push(of_inline(core, registered).await?);
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// One by name.
pub(crate) async fn one(core: &SharedCore, name: &str) -> Result<ProjectionStatus> {
    if let Some(registered) = core.inline().find(|it| &*it.name == name) {
        return of_inline(core, registered).await;
    }
    let mut conn = core.pool.acquire().await?;
    let found = projections::status(&mut conn, &core.texts, Some(name)).await?.pop();
    found.ok_or_else(|| Error::UnknownProjection { name: name.to_owned() })
}

/// An inline projection is written with every append.
async fn of_inline(core: &SharedCore, registered: &Registered) -> Result<ProjectionStatus> {
    let position = look(core).await?;
    let mut conn = core.pool.acquire().await?;
    let beside = projections::rebuilding(&mut conn, &core.texts, &registered.name).await?;
    Ok(ProjectionStatus::inline(registered, position, beside))
}
