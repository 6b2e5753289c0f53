use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rillflow::{Event, Expected};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::{Counter, CounterEvent, Inc};
use crate::kit::{Cli, TestResult, mounted, nobody, run, stock};

#[test]
fn a_line_that_cannot_be_read_is_told_in_json_when_json_was_asked_for() -> TestResult {
    for (line, problem, help) in [
        ("--json strems", "unrecognized subcommand 'strems'", "some similar subcommands exist: 'trace', 'streams'"),
        ("streams show x --frm 1 --json", "unexpected argument '--frm' found", "try '--help'"),
        ("streams show --json", "required arguments were not provided: <STREAM>", "--help"),
        ("events tail --after first --json", "invalid value 'first' for '--after <POSITION>'", "--help"),
        ("doctor --log loud --json", "[possible values: off, error", "--help"),
        ("streams --json", "requires a subcommand", "--help"),
        ("--json streams", "a command is missing", "--help"),
        ("doctor --json --schema", "a value is required for '--schema <NAME>'", "--help"),
    ] {
        let ended = run(stock().args(line.split(' ')));
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.lines().count()), (Some(2), "", 1), "{ended:#?}");
        let error: Value = serde_json::from_str(&ended.stderr)?;
        assert!(error["error"].as_str().is_some_and(|it| it.contains(problem)), "{line}: {error}");
        assert!(error["help"].as_str().is_some_and(|it| it.contains(help)), "{line}: {error}");
    }
    // behind `--` it is no flag
    let ended = run(stock().args(["streams", "resolve", "--", "--json", "--json"]));
    assert!(ended.code == Some(2) && ended.stderr.starts_with("error: "), "{ended:#?}");
    Ok(())
}

#[test]
fn help_and_version_stay_plain_under_json() {
    assert!(run(stock().args(["--json", "--version"])).ok().starts_with("rillflow "));
    assert!(run(stock().args(["streams", "--help", "--json"])).ok().contains("Usage: "));
}

#[tokio::test]
async fn what_is_reported_while_standard_error_is_closed_ends_nothing() -> TestResult {
    let cli = Cli::new().await?;
    let mut command = stock();
    command.args(["events", "tail", "--log", "trace"]).env("DATABASE_URL", cli.db.url());
    assert_eq!(command.stderr(nobody()?).spawn()?.wait()?.code(), Some(0));
    Ok(())
}

/// A command that goes on until it is stopped, once it has printed its first line.
struct GoingOn {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl GoingOn {
    fn begin(cli: &Cli, args: &[&str]) -> Result<Self, Box<dyn std::error::Error>> {
        let mut command = mounted();
        command.args(args).env("DATABASE_URL", cli.db.url()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut out = BufReader::new(child.stdout.take().ok_or("no output")?);
        assert_ne!(out.read_line(&mut String::new())?, 0, "{args:?}");
        Ok(Self { child, out })
    }

    fn signal(&self, name: &str) -> TestResult {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status()?.success());
        Ok(())
    }

    /// How many lines were left, and how it ended.
    fn ended(self) -> Result<(usize, Output), Box<dyn std::error::Error>> {
        let left = self.out.lines().collect::<Result<Vec<_>, _>>()?.len();
        Ok((left, self.child.wait_with_output()?))
    }
}

#[tokio::test]
async fn what_goes_on_until_it_is_stopped_ends_with_0_and_holds_nobody_up() -> TestResult {
    let cli = Cli::new().await?;
    let counter = cli.store.aggregate::<Counter>(Uuid::now_v7());
    counter.append(Expected::Any, (0..20).map(|by| CounterEvent::Inc(Inc { by })).collect::<Vec<_>>()).await?;
    cli.stock(&["subscriptions", "create", "counts"]).ok();
    for line in ["events tail --follow", "subscriptions tail counts", "projections run"] {
        for signal in ["-INT", "-TERM"] {
            let going_on = GoingOn::begin(&cli, &line.split(' ').collect::<Vec<_>>())?;
            going_on.signal(signal)?;
            let (_, ended) = going_on.ended()?;
            assert_eq!((ended.status.code(), &ended.stderr[..]), (Some(0), &b""[..]), "{signal} {line}: {ended:?}");
        }
        cli.stock(&["subscriptions", "reset", "counts", "0"]);
    }
    assert_eq!(cli.json(&["projections", "status", "my_projection"])["owner"], Value::Null);
    let groups = cli.json(&["subscriptions", "status", "counts"]);
    assert_eq!(groups[0]["members"], Value::Array(Vec::new()), "{groups}");
    Ok(())
}

#[tokio::test]
async fn projections_that_run_for_a_reader_who_is_gone_end_quietly() -> TestResult {
    let cli = Cli::new().await?;
    cli.store
        .aggregate::<Counter>(Uuid::now_v7())
        .append(Expected::Any, vec![CounterEvent::Inc(Inc { by: 1 })])
        .await?;
    cli.mounted(&["projections", "run-once"]).ok();
    let mut command = mounted();
    command.args(["projections", "run"]).env("DATABASE_URL", cli.db.url()).stdout(nobody()?).stderr(Stdio::piped());
    let ended = command.spawn()?.wait_with_output()?;
    assert_eq!((ended.status.code(), &ended.stderr[..]), (Some(0), &b""[..]), "{ended:?}");
    Ok(())
}

#[tokio::test]
async fn a_tail_is_stopped_in_the_middle_of_what_is_there_already() -> TestResult {
    let cli = Cli::new().await?;
    // pages that a pipe cannot hold, so that it stands still while the signal comes
    let big = "x".repeat(1000);
    let events = (0..5000).map(|_| Event::new("big", &big));
    cli.store.events().append_stream(Uuid::now_v7(), Expected::NoStream, events).await?;
    for signal in ["-INT", "-TERM"] {
        let tail = GoingOn::begin(&cli, &["events", "tail", "--after", "0", "--body"])?;
        tail.signal(signal)?;
        let (left, ended) = tail.ended()?;
        assert_eq!((ended.status.code(), &ended.stderr[..]), (Some(0), &b""[..]), "{signal}: {ended:?}");
        assert!(left < 4999, "{signal}: it printed all");
    }
    Ok(())
}
