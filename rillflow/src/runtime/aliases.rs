//! Aliases of streams, and those this process has seen.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::SharedCore;
use crate::Result;
use crate::storage::streams;

/// How many aliases a generation holds: at most twice as many are kept.
const GENERATION: usize = 8192;

/// The aliases this process has seen; an alias never changes. When the young generation is full it becomes the old one,
/// and who was not asked for since is forgotten.
#[derive(Debug, Default)]
pub(crate) struct AliasCache(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Box<str>, Uuid>,
    old: HashMap<Box<str>, Uuid>,
}

impl AliasCache {
    fn get(&self, alias: &str) -> Option<Uuid> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&id) = all.young.get(alias) {
            return Some(id);
        }
        let id = all.old.remove(alias)?;
        all.keep(alias, id);
        Some(id)
    }

    fn keep(&self, alias: &str, id: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keep(alias, id);
    }
}

impl Generations {
    fn keep(&mut self, alias: &str, id: Uuid) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(alias.into(), id);
    }
}

/// The stream that an alias stands for; a new one when nobody asked before.
pub(crate) async fn resolve(core: &SharedCore, alias: &str) -> Result<Uuid> {
    if let Some(known) = core.aliases.get(alias) {
        return Ok(known);
    }
    let mut conn = core.pool.acquire().await?;
    let id = streams::resolve_alias(&mut conn, &core.texts, alias, Uuid::now_v7()).await?;
    core.aliases.keep(alias, id);
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_number_is_bounded() {
        let cache = AliasCache::default();
        cache.keep("often", Uuid::nil());
        for n in 0..5 * GENERATION {
            cache.keep(&n.to_string(), Uuid::from_u128(n as u128));
            assert_eq!(cache.get("often"), Some(Uuid::nil()));
        }
        assert_eq!(cache.get("0"), None);
        let all = cache.0.lock().unwrap();
        assert!(all.young.len() + all.old.len() <= 2 * GENERATION);
    }
}
