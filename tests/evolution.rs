//! Events that changed since they were stored: renamed, upcast, locked. Without a database.
#![allow(clippy::unwrap_used, reason = "a test that fails should panic")]

/// Old names, old versions.
#[path = "evolution/chain.rs"]
mod chain;
/// Given, when, then.
#[path = "evolution/kit.rs"]
mod kit;
/// `rillflow.lock` of this crate.
#[path = "evolution/lock.rs"]
mod lock;
