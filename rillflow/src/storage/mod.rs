//! Layer 3, storage: one function is one question to PostgreSQL, connection first. No loops, no tasks.

pub(crate) mod append;
mod ask;
pub(crate) mod bind;
pub(crate) mod bulk;
pub(crate) mod doctor;
pub(crate) mod documents;
pub(crate) mod dynamic;
pub(crate) mod epochs;
pub(crate) mod events;
pub(crate) mod failure;
pub(crate) mod inline;
pub(crate) mod letters;
pub(crate) mod marks;
#[cfg(feature = "cli")]
pub(crate) mod named;
pub(crate) mod outbox;
pub(crate) mod projections;
pub(crate) mod queries;
pub(crate) mod reading;
pub(crate) mod rebuild;
pub(crate) mod rows;
pub(crate) mod schema;
pub(crate) mod session;
pub(crate) mod snapshots;
pub(crate) mod streams;
pub(crate) mod subscriptions;
pub(crate) mod tags;
pub(crate) mod tenants;
