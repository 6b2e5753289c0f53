//! One binary against a real PostgreSQL, through the public API: `cargo test --test integration_postgres`.

mod orders;
mod support;

/// Aggregates: load, decide, upcast.
mod aggregates;
/// Expected versions, conflicts, several writers of one stream.
mod append;
/// Natural batching: what callers see of sharing statements.
mod batching;
/// The development PostgreSQL and the test databases themselves.
mod dev_postgres;
/// Documents by id and version.
mod documents;
/// What filters can say, each against the same words in Rust.
mod filters;
/// Keys and ids that make an append happen once.
mod idempotency;
/// The global order: what readers see while appends are open.
mod order;
/// Pages, endings and soft-deleted documents.
mod pages;
/// Projections: inline, async, leases, failures.
mod projections;
/// Typed queries against real documents.
mod queries;
/// Making the schema, twice, at once, elsewhere.
mod schema;
