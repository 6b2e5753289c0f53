//! Inline projections: whether their read models are of this program's version, and building those that are not.

use std::time::Duration;

use sqlx::PgConnection;

use super::backoff::Backoff;
use super::daemon::DaemonConfig;
use super::rebuild::rebuild;
use super::{Core, SharedCore};
use crate::model::{Registered, Work};
use crate::sql::Texts;
use crate::storage::inline;
use crate::{Error, Result};

/// How often it is looked whether another process has built what is waited for.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// Notes the versions of read models that nobody noted yet.
pub(crate) async fn register(conn: &mut PgConnection, core: &Core, texts: &Texts) -> Result<()> {
    if texts.has_tenant_column() && core.pool.tenant().is_none() {
        return Ok(()); // of each tenant
    }
    for (registered, stored) in versions(conn, core, texts).await? {
        if let (Work::Documents(_, collection), None | Some(0)) = (&registered.work, stored) {
            inline::register(conn, texts, registered, collection).await?;
        }
    }
    Ok(())
}

async fn versions<'c>(
    conn: &mut PgConnection,
    core: &'c Core,
    texts: &Texts,
) -> Result<Vec<(&'c Registered, Option<i32>)>> {
    let names: Vec<_> = core.inline().map(|it| &*it.name).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let stored = inline::versions(conn, texts, &names).await?;
    let of = |it: &Registered| stored.iter().find(|(name, _)| **name == *it.name).and_then(|(_, version)| *version);
    Ok(core.inline().map(|it| (it, of(it))).collect())
}

/// Those whose read model is of another version than the code here, and why they are not written.
pub(crate) async fn differing<'c>(
    conn: &mut PgConnection,
    core: &'c Core,
    texts: &Texts,
) -> Result<Vec<(&'c Registered, Error)>> {
    let all = versions(conn, core, texts).await?;
    Ok(all.into_iter().filter_map(|(it, stored)| Some((it, refusal(it, stored?)?))).collect())
}

/// Fails when the read model is of another version than the code here.
pub(crate) async fn check(conn: &mut PgConnection, core: &Core, registered: &Registered) -> Result<()> {
    let stored = inline::versions(conn, &core.texts, &[&registered.name]).await?.pop().and_then(|(_, version)| version);
    stored.and_then(|stored| refusal(registered, stored)).map_or(Ok(()), Err)
}

/// Why the code here does not write a model of this version.
pub(super) fn refusal(registered: &Registered, stored: i32) -> Option<Error> {
    let (name, wanted) = (registered.name.to_string(), registered.version);
    (stored != wanted).then_some(Error::ReadModelVersion { name, stored, wanted })
}

/// Those whose read model is older than the code here.
pub(super) async fn stale(conn: &mut PgConnection, core: &Core) -> Result<Vec<String>> {
    let all = versions(conn, core, &core.texts).await?;
    let stale = all.into_iter().filter(|(it, stored)| stored.is_some_and(|stored| stored < it.version));
    Ok(stale.map(|(it, _)| it.name.to_string()).collect())
}

/// Builds the read models that are older than the code here, or waits for those who do.
pub(crate) async fn build(core: &SharedCore, config: DaemonConfig) -> Result<Vec<String>> {
    let mut conn = core.pool.acquire().await?;
    register(&mut conn, core, &core.texts).await?;
    let stale = stale(&mut conn, core).await?;
    drop(conn);
    for name in &stale {
        build_one(core, core.registered(name)?, config).await?;
    }
    let mut conn = core.pool.acquire().await?;
    differing(&mut conn, core, &core.texts).await?.into_iter().next().map_or(Ok(stale), |(_, why)| Err(why))
}

async fn build_one(core: &SharedCore, registered: &Registered, config: DaemonConfig) -> Result<()> {
    let mut backoff = Backoff::new(FIRST_LOOK, LONGEST_LOOK);
    loop {
        let stale = check(&mut *core.pool.acquire().await?, core, registered).await;
        if !matches!(stale, Err(Error::ReadModelVersion { stored, wanted, .. }) if stored < wanted) {
            return stale;
        }
        match Box::pin(rebuild(core, registered, config, &mut |_| {})).await {
            Err(Error::RebuildLost { .. }) => tokio::time::sleep(backoff.next()).await,
            built => return built.map(drop),
        }
    }
}
