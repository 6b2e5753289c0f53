//! The command line as clap reads it.

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use super::out::Out;
use super::{Done, Ran, docs, events, projections, schema, snapshots, streams, subscriptions, tenants, torture, trace};

/// Documents and events in PostgreSQL: look after a store.
#[derive(Debug, Parser)]
#[command(name = "rillflow", version, about, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done, or told to stop; 1 failed; 2 wrong command line; 3 found differences or findings."
)]
pub(super) struct Line {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags of every command, before or after it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The database: postgres://user:password@host/name.
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(super) database_url: Option<String>,
    /// The schema that holds the store; `public` unless the program says otherwise.
    #[arg(long, global = true, env = "RILLFLOW_SCHEMA", value_name = "NAME")]
    pub(super) schema: Option<String>,
    /// The tenant to work on, where each has a schema of its own.
    #[arg(long, global = true, env = "RILLFLOW_TENANT", value_name = "NAME")]
    pub(super) tenant: Option<String>,
    /// Print JSON, with field names that stay.
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Answer every question with yes.
    #[arg(long, short = 'y', global = true)]
    pub(super) yes: bool,
    /// How many seconds to wait for a connection.
    #[arg(long, global = true, env = "RILLFLOW_CONNECT_TIMEOUT", value_name = "SECONDS", default_value_t = 5)]
    pub(super) connect_timeout: u64,
    /// What to report on standard error while working.
    #[arg(long, global = true, env = "RILLFLOW_LOG", value_name = "LEVEL", default_value = "warn")]
    pub(super) log: Log,
}

/// How much is reported.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Log {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Log {
    pub(super) fn level(self) -> tracing_subscriber::filter::LevelFilter {
        use tracing_subscriber::filter::LevelFilter;
        match self {
            Self::Off => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The tables, functions and indexes of the store.
    #[command(subcommand)]
    Schema(schema::Schema),
    /// As `schema plan`.
    #[command(hide = true)]
    SchemaPlan,
    /// As `schema sync`.
    #[command(hide = true)]
    SchemaSync,
    /// Projections: how far they are, what stops them, running them.
    #[command(subcommand)]
    Projections(projections::Projections),
    /// Subscriptions: making them, how far their groups are, taking part.
    #[command(subcommand)]
    Subscriptions(subscriptions::Subscriptions),
    /// Streams: alias, state, events, archive.
    #[command(subcommand)]
    Streams(streams::Streams),
    /// All events, in their global order.
    #[command(subcommand)]
    Events(events::Events),
    /// Documents of any collection, by its name.
    #[command(subcommand)]
    Docs(docs::Docs),
    /// Snapshots of aggregates.
    #[command(subcommand)]
    Snapshots(snapshots::Snapshots),
    /// Tenants: making them, how they are, dropping them.
    #[command(subcommand)]
    Tenants(tenants::Tenants),
    /// Say what is wrong with the store, and what to do about it.
    Doctor,
    /// Write, read and get in the way with all means, in two databases of its own, then count every event.
    Torture(torture::Torture),
    /// The events of one correlation id, and what caused what.
    Trace(trace::Trace),
    /// Print the completions of a shell: `source <(rillflow completions bash)`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

pub(super) fn completions(shell: clap_complete::Shell, out: &mut Out) -> Ran {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Line::command(), "rillflow", &mut script);
    out.write_all(&script)?;
    Ok(Done::Well)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in [
            &["rillflow", "--schema", "app", "--json", "streams", "show", "orders:42"][..],
            &["rillflow", "streams", "show", "orders:42", "--schema", "app", "--json"],
        ] {
            let read = Line::try_parse_from(line).expect("a command line");
            assert_eq!((read.global.schema.as_deref(), read.global.json), (Some("app"), true), "{line:?}");
        }
    }
}
