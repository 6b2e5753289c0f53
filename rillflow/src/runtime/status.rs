//! How far projections are, the inline ones too.

use super::ticks::look;
use super::{SharedCore, inline};
use crate::model::Lifecycle;
use crate::storage::inline::models;
use crate::storage::projections::{self, ProjectionMetrics, ProjectionStatus};
use crate::{Error, Result};

/// All projections, by name.
pub(crate) async fn all(core: &SharedCore) -> Result<Vec<ProjectionStatus>> {
    let mut conn = core.pool.acquire().await?;
    let mut all = projections::status(&mut conn, &core.texts, None).await?;
    let known = models(&mut conn, &core.texts).await?;
    drop(conn);
    all.retain(|it| !is_inline(core, &it.name));
    let mut inline: Vec<_> = core.inline().map(|it| &*it.name).chain(known.iter().map(|it| &*it.0)).collect();
    inline.retain(|name| all.iter().all(|it| it.name != *name));
    inline.sort_unstable();
    inline.dedup();
    for name in inline {
        all.extend(of_inline(core, name).await?);
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// One by name.
pub(crate) async fn one(core: &SharedCore, name: &str) -> Result<ProjectionStatus> {
    if !is_inline(core, name) {
        let mut conn = core.pool.acquire().await?;
        if let Some(found) = projections::status(&mut conn, &core.texts, Some(name)).await?.pop() {
            return Ok(found);
        }
    }
    of_inline(core, name).await?.ok_or_else(|| unknown(name))
}

/// What one has done and has still to do.
pub(crate) async fn metrics(core: &SharedCore, name: &str) -> Result<ProjectionMetrics> {
    if !is_inline(core, name) {
        let mut conn = core.pool.acquire().await?;
        if let Some(found) = projections::metrics(&mut conn, &core.texts, name).await? {
            return Ok(found);
        }
    }
    let inline = of_inline(core, name).await?.ok_or_else(|| unknown(name))?;
    Ok(ProjectionMetrics::inline(inline))
}

fn is_inline(core: &SharedCore, name: &str) -> bool {
    core.registered(name).is_ok_and(|it| it.lifecycle == Lifecycle::Inline)
}

/// An inline projection is written with every append. `None`: nobody knows one of this name.
async fn of_inline(core: &SharedCore, name: &str) -> Result<Option<ProjectionStatus>> {
    let registered = core.inline().find(|it| &*it.name == name);
    let position = look(core).await?;
    let mut conn = core.pool.acquire().await?;
    let stored = models(&mut conn, &core.texts).await?.into_iter().find(|it| it.0 == name).map(|it| it.1);
    let Some(version) = stored.or(registered.map(|it| it.version)) else { return Ok(None) };
    let rebuilding = projections::rebuilding(&mut conn, &core.texts, name).await?;
    let differs = registered.and_then(|it| inline::refusal(it, version));
    let error = differs.map(|why| why.to_string());
    Ok(Some(ProjectionStatus::inline(name, version, position, rebuilding, error)))
}

fn unknown(name: &str) -> Error {
    Error::UnknownProjection { name: name.to_owned() }
}
