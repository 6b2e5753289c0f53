//! The command line, to be mounted in a program of your own.
//!
//! The stock binary `rillflow` does all that needs no types of an application. Mounted beside your types, the same
//! commands know your documents, projections and aggregates too:
//!
//! ```no_run
//! # use rillflow::{Aggregate, Document, Event, handlers};
//! # #[derive(serde::Serialize, serde::Deserialize, Document)]
//! # struct Customer { #[document(id)] id: i64 }
//! # #[derive(serde::Serialize, serde::Deserialize)]
//! # pub struct Inc;
//! # #[derive(Event)]
//! # pub enum CounterEvent { Inc(Inc) }
//! # #[derive(Default, serde::Serialize, serde::Deserialize, Aggregate)]
//! # #[aggregate(events = CounterEvent)]
//! # pub struct Counter { n: i64 }
//! # #[handlers]
//! # impl Counter { fn on_inc(&mut self, _: &Inc) { self.n += 1; } }
//! use rillflow::cli::{App, run};
//!
//! #[tokio::main]
//! async fn main() -> std::process::ExitCode {
//!     let app = App::new(|store| store.document::<Customer>()).aggregate::<Counter>();
//!     run(app, std::env::args_os()).await
//! }
//! ```
//!
//! | exit code | means |
//! |---|---|
//! | 0 | done; also when whoever read the output had enough of it, and when what runs until interrupted (`events tail`, `subscriptions tail`, `projections run`) got SIGINT or SIGTERM |
//! | 1 | failed: one line on standard error says why, the next what to do |
//! | 2 | the command line is wrong, or what it needs was not given |
//! | 3 | looked and found something: differences, findings (`schema assert`, `doctor`, `torture`) |
//!
//! `--json` prints one JSON document (or one per line, for what goes on and on); its field names are kept. Errors are
//! JSON then too, `{"error": .., "help": ..}` on standard error, also where the line cannot be read. `--database-url`, `--schema` and the other global flags may stand before or after the command, and are
//! read from `DATABASE_URL`, `RILLFLOW_SCHEMA`, `RILLFLOW_TENANT`.. otherwise.

mod app;
mod args;
mod connect;
mod docs;
mod doctor;
mod events;
mod failure;
mod out;
mod projections;
mod schema;
mod snapshots;
mod streams;
mod subscriptions;
mod tenants;
mod torture;
mod trace;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

pub use app::App;

use args::{Command, Line};
use clap::Parser;
use connect::Session;
use failure::Failure;

/// What a command came to, when nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Well,
    /// It looked, and found what it was to look for.
    Found,
}

type Ran = Result<Done, Failure>;

/// Runs one command line, the program's name first, and says how it went as an exit code.
///
/// Prints to standard output and standard error; never panics on what it is given. Dropping the future stops the
/// command where it is, which leaves nothing half written.
pub async fn run(app: App, args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    // asked for in a line that cannot be read, too
    let json = args.iter().take_while(|it| *it != "--").any(|it| it == "--json");
    let line = match Line::try_parse_from(args) {
        Ok(line) => line,
        Err(error) => return unread(&error, json),
    };
    listen_to_tracing(&line);
    let mut session = Session::new(app, line.global);
    match line.command.run(&mut session).await.and_then(|done| session.out.flush().map(|()| done)) {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::Found) => ExitCode::from(3),
        Err(failure) => failure.report(json),
    }
}

/// Says what is wrong with a line, or prints the help or the version that it asked for.
fn unread(error: &clap::Error, json: bool) -> ExitCode {
    if json && error.use_stderr() {
        return Failure::from(error).report(json);
    }
    // who closed the pipe does not want to read it
    let _closed = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

impl Command {
    async fn run(self, session: &mut Session) -> Ran {
        match self {
            Self::Schema(command) => command.run(session).await,
            Self::SchemaPlan => schema::Schema::Plan { sql: false }.run(session).await,
            Self::SchemaSync => schema::Schema::Sync { allow_destructive: false }.run(session).await,
            Self::Projections(command) => command.run(session).await,
            Self::Subscriptions(command) => command.run(session).await,
            Self::Streams(command) => command.run(session).await,
            Self::Events(command) => command.run(session).await,
            Self::Docs(command) => command.run(session).await,
            Self::Snapshots(command) => command.run(session).await,
            Self::Tenants(command) => command.run(session).await,
            Self::Torture(command) => command.run(session).await,
            Self::Doctor => doctor::run(session).await,
            Self::Trace(command) => command.run(session).await,
            Self::Completions { shell } => args::completions(shell, &mut session.out),
        }
    }
}

/// Shows what the library reports, on standard error; a program that listens by itself goes on doing so.
fn listen_to_tracing(line: &Line) {
    let format = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(line.global.log.level())
        // it would say so on standard error, and panic when that is closed
        .log_internal_errors(false);
    let _listens_already = tracing::subscriber::set_global_default(format.with_target(false).finish());
}

/// Ends with Ctrl-C, or with what a service manager sends. Listens from the call on, not from the first poll.
fn interrupted() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        [SignalKind::interrupt(), SignalKind::terminate()].map(signal)
    };
    async move {
        #[cfg(unix)]
        if let [Ok(mut interrupt), Ok(mut terminate)] = signals {
            tokio::select! {
                _sent = interrupt.recv() => return,
                _sent = terminate.recv() => return,
            }
        }
        let _sent = tokio::signal::ctrl_c().await;
    }
}
