//! Each command of the command line, as a process, against a real PostgreSQL: `cargo test --test cli`.

mod domain;
mod kit;

/// What goes wrong: names, ids, servers, pipes.
mod bad_input;
/// Each command once right and once wrong, settings, completions.
mod commands;
/// Documents by the names of their collections.
mod docs;
/// What is wrong, and what to do about it.
mod doctor;
/// Lines that cannot be read, readers that are gone, signals.
mod endings;
/// Streams, and the log of all events.
mod events;
/// Projections, with the stock binary and with a mounted one.
mod projections;
/// The tables.
mod schema;
/// Command lines that people know from before.
mod seed_commands;
/// Snapshots: what the stock binary cannot do, and a mounted one can.
mod snapshots;
/// Subscriptions: made, joined, looked at.
mod subscriptions;
/// Tenants: made, chosen, dropped.
mod tenants;
/// Everything at once, then every event is counted.
mod torture;
/// What caused what.
mod trace;
