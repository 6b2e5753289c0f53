use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};

use rillflow::subscriptions::{SubscriptionFilter, SubscriptionOptions};
use rillflow::{Event, Expected};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::{Counter, CounterEvent, Customer, Inc};
use crate::kit::{Cli, Ended, TestResult, mounted, nobody, run, stock};

/// One command: a line that works, in this order on one store; one that does not, its exit code, and what it says.
type Walked = (&'static str, &'static str, i32, &'static str);

/// Every command. A dash: runs until it is stopped, and has a test of its own.
const COMMANDS: &[Walked] = &[
    ("schema plan", "schema plan --tenant nobody", 1, "there is no tenant `nobody`"),
    ("schema sync", "schema sync --schema pg_mine", 1, "cannot be the name"),
    ("schema assert", "schema assert --database-url nonsense", 2, "postgres://"),
    ("schema patch", "schema patch /nowhere/at/all.sql", 1, "cannot write"),
    ("schema dump", "schema dump /nowhere/at/all.sql", 1, "cannot write"),
    ("schema roles", "schema roles --apply", 2, "say --yes"),
    ("schema-plan", "schema-plan --nonsense", 2, "--nonsense"),
    ("schema-sync", "schema-sync --database-url http://localhost/x", 2, "postgres://"),
    ("projections list", "projections list all", 2, "'all'"),
    ("projections run-once", "projections run-once --name nobody", 1, "nobody"),
    ("projections run-until-idle", "projections run-until-idle --name nobody", 1, "nobody"),
    ("projections dlq-list my_projection", "projections dlq-list nobody", 1, "nobody"),
    ("projections dlq-requeue my_projection --id 1", "projections dlq-requeue my_projection --id 4711", 1, "4711"),
    ("projections dlq-delete my_projection --id 1", "projections dlq-delete my_projection --id 4711", 1, "4711"),
    ("projections status my_projection", "projections status nobody", 1, "nobody"),
    ("projections pause my_projection", "projections pause nobody", 1, "nobody"),
    ("projections resume my_projection", "projections resume nobody", 1, "nobody"),
    ("projections metrics my_projection", "projections metrics nobody", 1, "nobody"),
    ("projections reset-checkpoint my_projection 0", "projections reset-checkpoint nobody 0", 1, "nobody"),
    ("projections rebuild my_projection", "projections rebuild nobody", 1, "nobody"),
    ("projections split my_projection 2", "projections split my_projection 0", 2, "1..=1024"),
    ("- projections run", "projections run --metrics-addr nowhere", 2, "--metrics-addr"),
    ("subscriptions create orders", "subscriptions create orders --start-from -1", 2, "-1"),
    ("subscriptions list", "subscriptions list orders", 2, "'orders'"),
    ("subscriptions tail orders --group a --limit 1", "subscriptions tail nobody", 1, "no subscription `nobody`"),
    ("subscriptions status orders", "subscriptions status nobody", 1, "no subscription `nobody`"),
    ("subscriptions groups orders", "subscriptions groups nobody", 1, "no subscription `nobody`"),
    ("subscriptions group-status orders --group a", "subscriptions group-status orders --group b", 1, "no group `b`"),
    ("subscriptions pause orders", "subscriptions pause nobody", 1, "no subscription `nobody`"),
    ("subscriptions resume orders", "subscriptions resume orders --group b", 1, "no group `b`"),
    ("subscriptions reset orders 0 --group a", "subscriptions reset orders first", 2, "first"),
    ("subscriptions dlq-list orders", "subscriptions dlq-list nobody", 1, "no subscription `nobody`"),
    ("subscriptions dlq-requeue orders --id 1", "subscriptions dlq-requeue orders --id 4711", 1, "no such dead letter"),
    ("subscriptions dlq-delete orders --id 2", "subscriptions dlq-delete nobody --id 1", 1, "no subscription `nobody`"),
    ("subscriptions delete orders", "subscriptions delete nobody", 1, "no subscription `nobody`"),
    ("streams resolve counter:1", "streams resolve", 2, "ALIAS"),
    ("streams show counter:1", "streams show counter:2", 1, "neither the id nor the alias"),
    ("streams events counter:1", "streams events counter:2", 1, "neither the id nor the alias"),
    ("streams archive counter:1", "streams archive counter:2", 1, "neither the id nor the alias"),
    ("streams restore counter:1", "streams restore 00000000-0000-0000-0000-000000000000", 1, "does not exist"),
    ("streams delete counter:1", "streams delete 00000000-0000-0000-0000-000000000000", 1, "does not exist"),
    ("events tail --after 0", "events tail --after first", 2, "first"),
    ("docs collections", "docs collections customers", 2, "'customers'"),
    ("docs get customers 1", "docs get customers one", 1, "is no id"),
    ("docs query customers -f score>1", "docs query customers -f score", 2, "score"),
    ("docs put 00000000-0000-0000-0000-000000000000 {}", "docs put 1 {}", 2, "'1'"),
    ("docs soft-delete customers 1", "docs soft-delete customers 404", 1, "does not exist"),
    ("docs restore customers 1", "docs restore nowhere 1", 1, "no collection `nowhere`"),
    ("docs index-advice customers", "docs index-advice nowhere", 1, "nowhere"),
    ("snapshots compact-once --threshold 1", "snapshots compact-once --threshold 0", 2, "--threshold"),
    ("snapshots run-until-idle", "snapshots run-until-idle --aggregate Nobody", 1, "no aggregate `Nobody`"),
    ("tenants list", "tenants list acme", 2, "'acme'"),
    ("tenants ensure acme", "tenants ensure", 2, "NAME"),
    ("tenants status acme", "tenants status nobody", 1, "there is no tenant `nobody`"),
    ("tenants migrate", "tenants migrate acme", 2, "'acme'"),
    ("tenants drop acme", "tenants drop nobody", 1, "there is no tenant `nobody`"),
    ("doctor", "doctor --schema pg_mine", 1, "cannot be the name"),
    ("trace 00000000-0000-0000-0000-000000000000", "trace not-an-id", 2, "not-an-id"),
    ("completions bash", "completions csh", 2, "csh"),
];

/// Has tests of its own.
const ELSEWHERE: [&str; 1] = ["torture"];

/// The commands that `--help` names, each as it is typed.
fn named(path: &str) -> BTreeSet<String> {
    let help = run(mounted().args(path.split_whitespace()).arg("--help")).ok();
    let listed = help.split_once("\nCommands:\n").map_or("", |(_, after)| after);
    let listed = listed.lines().take_while(|line| !line.is_empty());
    // what a command is for may go on in a line further in
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    let mut all = BTreeSet::new();
    for name in names {
        let path = format!("{path} {name}").trim().to_owned();
        let below = named(&path);
        all.extend(if below.is_empty() { BTreeSet::from([path]) } else { below });
    }
    all
}

#[test]
fn every_command_that_help_names_is_walked_through() {
    let named = named("");
    assert!(named.len() > 50, "{named:?}");
    for command in named.iter().filter(|it| !ELSEWHERE.contains(&it.as_str())) {
        let words =
            |line: &str| line.trim_start_matches("- ").split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let walked = COMMANDS.iter().any(|(line, ..)| words(line).starts_with(&words(command)));
        assert!(walked, "`{command}` is not among the commands that are walked through");
    }
}

/// A store with something for every command.
async fn furnished() -> Result<Cli, Box<dyn std::error::Error>> {
    let cli = Cli::new().await?;
    let stream = cli.store.resolve_stream_alias("counter:1").await?;
    for (stream, by) in [(stream, 5), (Uuid::now_v7(), -1)] {
        cli.store.aggregate::<Counter>(stream).append(Expected::Any, vec![CounterEvent::Inc(Inc { by })]).await?;
    }
    cli.store.events().append_stream(Uuid::now_v7(), Expected::Any, [Event::new("placed", &1)]).await?;
    cli.store.docs().put(&Customer { id: 1, email: "a@example.com".to_owned(), score: 2 }).await?;
    Ok(cli)
}

#[tokio::test]
async fn every_command_does_its_work_in_json_and_refuses_what_is_wrong() -> TestResult {
    let cli = furnished().await?;
    let mut wrong = Vec::new();
    for (works, fails, code, says) in COMMANDS {
        let ended = cli.mounted(&fails.split_whitespace().chain(["--json"]).collect::<Vec<_>>());
        if !refused(&ended, *code, says) {
            wrong.push(format!("{fails}: {ended:#?}"));
        }
        if works.starts_with("subscriptions dlq-requeue") {
            letters(&cli).await?;
        }
        let works = works.split_whitespace();
        // flags before the command, where the others had them after it
        let line: Vec<_> = ["--json", "--yes", "--log", "off"].into_iter().chain(works.clone()).collect();
        if works.clone().next() != Some("-") {
            let ended = cli.mounted(&line);
            if !worked(&ended, works.clone().next() == Some("completions")) {
                wrong.push(format!("{line:?}: {ended:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn every_command_ends_quietly_when_nobody_reads_what_it_says() -> TestResult {
    let cli = furnished().await?;
    let mut wrong = Vec::new();
    for (works, fails, code, _) in COMMANDS {
        if works.starts_with("subscriptions dlq-requeue") {
            letters(&cli).await?;
        }
        let mut command = mounted();
        command.args(["--yes", "--log", "off"]).args(works.split_whitespace()).env("DATABASE_URL", cli.db.url());
        if !works.starts_with('-') {
            let ended = unread(command.stderr(Stdio::piped()).stdout(nobody()?))?;
            if (ended.status.code(), &ended.stderr[..]) != (Some(0), b"") {
                wrong.push(format!("{works}: {ended:?}"));
            }
        }
        let mut command = mounted();
        command.args(fails.split_whitespace()).env("DATABASE_URL", cli.db.url());
        let ended = unread(command.stdout(nobody()?).stderr(nobody()?))?;
        if ended.status.code() != Some(*code) {
            wrong.push(format!("{fails}: {ended:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn unread(command: &mut Command) -> std::io::Result<Output> {
    command.spawn()?.wait_with_output()
}

/// Whether it said why, and printed nothing as if it had worked.
fn refused(ended: &Ended, code: i32, says: &str) -> bool {
    let error: Value = serde_json::from_str(&ended.stderr).unwrap_or_default();
    let help = error["help"].as_str().is_some();
    let said = error["error"].as_str().is_some_and(|it| it.contains(says) || ended.stderr.contains(says));
    ended.code == Some(code) && ended.stdout.is_empty() && said && help
}

/// Whether it ended well, or found something, and printed JSON.
fn worked(ended: &Ended, script: bool) -> bool {
    let documents: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&ended.stdout).into_iter().collect();
    let printed = if script { !ended.stdout.is_empty() } else { documents.is_ok_and(|it| !it.is_empty()) };
    matches!(ended.code, Some(0 | 3)) && ended.stderr.is_empty() && printed
}

/// Two dead letters of `orders`, numbered 1 and 2.
async fn letters(cli: &Cli) -> TestResult {
    let (all, options) = (SubscriptionFilter::default(), SubscriptionOptions::default().manual());
    let (handle, mut events) = cli.store.subscriptions().subscribe("orders", all, options).await?;
    for _ in 0..2 {
        let event = events.recv().await.ok_or("no event")?;
        handle.dead_letter(event.global_seq, "nobody answers").await?;
    }
    Ok(handle.shutdown().await?)
}

#[test]
fn settings_of_the_environment_are_read_and_a_wrong_one_is_named() {
    for (name, value) in [("RILLFLOW_CONNECT_TIMEOUT", "soon"), ("RILLFLOW_LOG", "loud")] {
        let ended = run(stock().args(["schema", "dump"]).env(name, value));
        assert_eq!(ended.code, Some(2), "{ended:#?}");
        assert!(ended.stderr.contains(value), "{ended:#?}");
    }
    let ended = run(mounted().args(["projections", "run"]).env("RILLFLOW_METRICS_ADDR", "nowhere"));
    assert!(ended.code == Some(2) && ended.stderr.contains("nowhere"), "{ended:#?}");
    // what is typed wins over what is set
    let dump = run(stock().args(["schema", "dump", "--schema", "typed"]).env("RILLFLOW_SCHEMA", "from_outside")).ok();
    assert!(dump.contains("CREATE TABLE \"typed\".events") && !dump.contains("\"from_outside\""));
    let dump = run(stock().args(["schema", "dump"]).env("RILLFLOW_SCHEMA", "from_outside")).ok();
    assert!(dump.contains("CREATE TABLE \"from_outside\".events"));
}

#[test]
fn a_server_that_says_nothing_is_given_up_after_the_connect_timeout() -> TestResult {
    // takes connections, and never answers
    let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
    let url = format!("postgres://nobody@{}/none", silent.local_addr()?);
    let said = run(stock().args(["docs", "collections", "--database-url", &url]).env("RILLFLOW_CONNECT_TIMEOUT", "1"));
    let said = said.failed(1);
    assert!(said.contains("did not answer within 1s") && said.contains("--connect-timeout"), "{said}");
    Ok(())
}

#[test]
fn completions_of_every_shell_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(mounted().args(["completions", shell])).ok();
        for word in ["run-until-idle", "index-advice", "dlq-requeue", "database-url"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
}
