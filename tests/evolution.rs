//! Events that changed since they were stored: renamed, upcast, locked. Without a database.
#![allow(clippy::unwrap_used, reason = "a test that fails should panic")]

#[path = "evolution/chain.rs"]
mod chain;
