//! How a command fails: one line that says why, one that says what to do.

use std::io;
use std::process::ExitCode;

use crate::Error;

/// Why a command did not do what it was told.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line is wrong, or something it needs is missing.
    Usage { problem: String, help: String },
    /// What it was to work on is not there, or not like that.
    Failed { problem: String, help: String },
    /// The store says no.
    Store(Error),
    /// Nobody can read what it prints.
    Output(io::Error),
}

impl Failure {
    pub(super) fn usage(problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage { problem: problem.into(), help: help.into() }
    }

    pub(super) fn failed(problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Failed { problem: problem.into(), help: help.into() }
    }

    /// Says it on standard error, and which exit code it is.
    pub(super) fn report(self, json: bool) -> ExitCode {
        let code = match &self {
            // `rillflow events tail | head`: the reader has what it wanted
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Self::Usage { .. } => 2,
            _ => 1,
        };
        let (problem, help) = self.words();
        let problem = problem.replace('\n', " ");
        let text = if json {
            serde_json::json!({ "error": problem, "help": help }).to_string()
        } else if help.is_empty() {
            format!("error: {problem}")
        } else {
            format!("error: {problem}\nhelp: {help}")
        };
        // a closed standard error leaves the exit code
        let _closed = io::Write::write_all(&mut anstream::stderr(), format!("{text}\n").as_bytes());
        ExitCode::from(code)
    }

    /// Why, and what to do.
    pub(super) fn words(self) -> (String, String) {
        match self {
            Self::Usage { problem, help } | Self::Failed { problem, help } => (problem, help),
            Self::Store(Error::Schema { problem, help }) => (problem, for_the_command_line(help)),
            Self::Store(error) => {
                let help = match &error {
                    Error::Database(sqlx::Error::Io(_)) => "is PostgreSQL running where --database-url points?",
                    Error::UnknownProjection { .. } => {
                        "the command line has to be mounted in the program that knows it: `rillflow::cli::App::new(..)`"
                    }
                    Error::ReadModelVersion { .. } => "`rillflow projections rebuild`, by the newest program",
                    Error::TenantNotFound { .. } => {
                        "`rillflow tenants ensure` makes it, `rillflow tenants list` names all"
                    }
                    Error::TenantNotEmpty { .. } => "--force drops it with everything in it",
                    Error::Contention(_) | Error::PoolTimeout => "try again",
                    _ => "",
                };
                (error.to_string(), help.to_owned())
            }
            Self::Output(error) => (format!("cannot write the output: {error}"), String::new()),
        }
    }
}

/// The library speaks to who writes a program; here somebody types commands.
fn for_the_command_line(help: String) -> String {
    if help.contains("schema().sync(") {
        return "`rillflow schema sync` makes what is missing; a collection of your own needs the program that knows it"
            .to_owned();
    }
    help
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// What clap says to people, in paragraphs: the problem, tips, the usage, and where to read more.
impl From<&clap::Error> for Failure {
    fn from(error: &clap::Error) -> Self {
        if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return Self::usage("a command is missing", "--help names them");
        }
        let text = error.to_string();
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut paragraphs = text.split("\n\n").map(one_line);
        let problem = paragraphs.next().unwrap_or_default();
        let help = paragraphs.collect::<Vec<_>>().join("; ");
        Self::usage(problem.trim_start_matches("error: "), help)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
