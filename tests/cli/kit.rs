//! Running the binaries.

use std::process::{Command, Output, Stdio};

use rillflow::testing::TestDatabase;
use rillflow::{SchemaConfig, Store};
use serde_json::Value;

pub(crate) const README: &str = include_str!("../../README.md");

/// What a test returns: any error ends it.
pub(crate) type TestResult = Result<(), Box<dyn std::error::Error>>;

/// A database of the test's own, and the binaries on it.
pub(crate) struct Cli {
    pub(crate) db: TestDatabase,
    pub(crate) store: Store,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Cli {
    /// A database whose schema is synced.
    pub(crate) async fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let cli = Self::empty().await?;
        cli.store.schema().sync(&SchemaConfig::single_tenant()).await?;
        Ok(cli)
    }

    /// A database that holds nothing.
    pub(crate) async fn empty() -> Result<Self, Box<dyn std::error::Error>> {
        let db = TestDatabase::create().await?;
        let store = domain_store(&db).await?;
        Ok(Self { db, store })
    }

    /// The stock binary on this database.
    pub(crate) fn stock(&self, args: &[&str]) -> Ended {
        run(stock().args(args).env("DATABASE_URL", self.db.url()))
    }

    /// The application's binary on this database.
    pub(crate) fn mounted(&self, args: &[&str]) -> Ended {
        run(mounted().args(args).env("DATABASE_URL", self.db.url()))
    }

    /// What the stock binary prints with `--json`.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        self.stock(&[args, &["--json"]].concat()).json()
    }
}

async fn domain_store(db: &TestDatabase) -> rillflow::Result<Store> {
    crate::domain::configure(Store::builder(db.url())).build().await
}

/// The stock binary, which knows no database.
pub(crate) fn stock() -> Command {
    clean(env!("CARGO_BIN_EXE_rillflow-stock"))
}

/// The application's binary, which knows no database.
pub(crate) fn mounted() -> Command {
    clean(env!("CARGO_BIN_EXE_rillflow-mounted"))
}

/// The binary of an application with a database per tenant, which knows no other database.
pub(crate) fn databases() -> Command {
    clean(env!("CARGO_BIN_EXE_rillflow-databases"))
}

/// Runs what follows `rillflow` on a command line, as a shell reads it, with the application's binary.
pub(crate) fn shell(args: &str, database_url: &str) -> Ended {
    let script = format!("\"$0\" {args}");
    run(clean("sh").args(["-c", &script, env!("CARGO_BIN_EXE_rillflow-mounted")]).env("DATABASE_URL", database_url))
}

fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    let settings = std::env::vars_os().map(|(name, _)| name);
    for name in settings.filter(|it| it == "DATABASE_URL" || it.to_string_lossy().starts_with("RILLFLOW_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// A pipe whose reader has gone.
pub(crate) fn nobody() -> std::io::Result<std::io::PipeWriter> {
    let (_gone, writer) = std::io::pipe()?;
    Ok(writer)
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    let Output { status, stdout, stderr } = command.output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

impl Ended {
    /// The output of a command that ended well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        assert!(!self.stdout.contains('\x1b'), "colours in a pipe: {self:#?}");
        self.stdout
    }

    /// The output of a command that found something.
    #[track_caller]
    pub(crate) fn found(self) -> String {
        assert_eq!(self.code, Some(3), "{self:#?}");
        self.stdout
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// What a command that failed says: one line why, at most one what to do, no panic.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        assert!(self.stderr.starts_with("error: "), "{self:#?}");
        assert!(code == 2 || self.stderr.lines().count() <= 2, "{self:#?}");
        self.stderr
    }
}

/// Each number as `N`.
pub(crate) fn without_numbers(text: &str) -> String {
    let mut words = String::new();
    for char in text.chars() {
        match char.is_ascii_digit() {
            true if words.ends_with('N') => {}
            true => words.push('N'),
            false => words.push(char),
        }
    }
    words
}

/// Holds the readme to what a command prints there, but for its numbers.
#[track_caller]
pub(crate) fn the_readme_shows(command: &str, printed: &str) {
    let shown = without_numbers(&format!("$ admin {command}\n{printed}"));
    assert!(without_numbers(README).contains(shown.trim_end()), "not in the readme: {shown}");
}
