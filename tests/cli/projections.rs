use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use rillflow::Expected;
use rillflow_tests::waiting::{blocking_until, until};
use uuid::Uuid;

use crate::domain::{Counter, CounterEvent, Inc, Total};
use crate::kit::{Cli, TestResult, mounted, the_readme_shows};

async fn count(cli: &Cli, by: i64) -> rillflow::Result<Uuid> {
    let id = Uuid::now_v7();
    cli.store.aggregate::<Counter>(id).append(Expected::Any, vec![CounterEvent::Inc(Inc { by })]).await?;
    Ok(id)
}

#[tokio::test]
async fn a_mounted_command_line_runs_projections_and_builds_them_anew() -> TestResult {
    let cli = Cli::new().await?;
    let id = count(&cli, 5).await?;
    assert_eq!(cli.mounted(&["projections", "run-once"]).ok(), "my_projection: 1 event\n");
    assert_eq!(
        cli.mounted(&["projections", "run-until-idle", "--name", "my_projection"]).ok(),
        "my_projection: idle\n"
    );
    assert_eq!(cli.store.docs().get::<Total>(&id).await?.map(|(it, _)| it.total), Some(5));

    sqlx::raw_sql("UPDATE docs_totals SET doc = jsonb_set(doc, '{total}', '99')").execute(cli.store.pool()).await?;
    let rebuilt = cli.mounted(&["projections", "rebuild", "my_projection", "--json"]).json();
    assert_eq!((&rebuilt["name"], &rebuilt["handled"]), (&"my_projection".into(), &1.into()));
    assert_eq!(cli.store.docs().get::<Total>(&id).await?.map(|(it, _)| it.total), Some(5));
    Ok(())
}

#[tokio::test]
async fn a_mounted_command_line_splits_a_projection_and_its_status_shows_the_shards() -> TestResult {
    let cli = Cli::new().await?;
    count(&cli, 5).await?;
    cli.mounted(&["projections", "run-until-idle"]).ok();
    let split = cli.mounted(&["projections", "split", "my_projection", "3", "--json"]).json();
    assert_eq!(split["shards"].as_array().map(Vec::len), Some(3));
    count(&cli, 5).await?;
    assert_eq!(cli.mounted(&["projections", "run-until-idle"]).ok(), "my_projection: 1 event\n");
    // the stock binary knows them too
    let status = cli.json(&["projections", "status", "my_projection"]);
    assert!(status["shards"].as_array().is_some_and(|it| it.iter().all(|it| it["position"] == status["position"])));
    assert!(cli.stock(&["projections", "status", "my_projection"]).ok().contains("3: at "));
    assert_eq!(cli.json(&["projections", "list"]).as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn the_stock_binary_looks_at_projections_pauses_and_moves_them() -> TestResult {
    let cli = Cli::new().await?;
    assert_eq!(cli.stock(&["projections", "list"]).ok(), "No projection has run here yet.\n");
    count(&cli, 5).await?;
    cli.mounted(&["projections", "run-once"]).ok();
    count(&cli, 5).await?;

    let list = cli.json(&["projections", "list"]);
    assert_eq!(
        (&list[0]["name"], &list[0]["behind"], &list[0]["status"]),
        (&"my_projection".into(), &1.into(), &"running".into())
    );
    assert!(cli.stock(&["projections", "pause", "my_projection"]).ok().contains("paused"));
    assert_eq!(cli.mounted(&["projections", "run-once"]).ok(), "my_projection: paused\n");
    assert_eq!(cli.json(&["projections", "resume", "my_projection"])["status"], "running");
    assert_eq!(cli.json(&["projections", "reset-checkpoint", "my_projection", "0"])["position"], 0);
    let metrics = cli.json(&["projections", "metrics", "my_projection"]);
    assert_eq!((&metrics["lag_events"], &metrics["processed"]), (&2.into(), &1.into()));
    let command = ["projections", "status", "my_projection"];
    the_readme_shows(&command.join(" "), &cli.stock(&command).ok());
    Ok(())
}

#[tokio::test]
async fn what_needs_the_projections_code_says_that_it_must_be_mounted() -> TestResult {
    let cli = Cli::new().await?;
    count(&cli, 5).await?;
    cli.mounted(&["projections", "run-once"]).ok();
    assert!(cli.stock(&["projections", "run-once"]).ok().contains("rillflow::cli::App"));
    for args in [&["rebuild", "my_projection"][..], &["run-once", "--name", "my_projection"], &["status", "nobody"]] {
        let said = cli.stock(&[&["projections"], args].concat()).failed(1);
        assert!(said.contains("rillflow::cli::App"), "{said}");
    }
    assert_eq!(cli.stock(&["projections", "reset-checkpoint", "my_projection", "-1"]).code, Some(2));
    Ok(())
}

#[tokio::test]
async fn dead_letters_are_listed_tried_again_and_given_up() -> TestResult {
    let cli = Cli::new().await?;
    count(&cli, -1).await?;
    cli.mounted(&["projections", "run-until-idle"]);
    let letters = cli.json(&["projections", "dlq-list", "my_projection", "--limit", "100"]);
    let id = letters[0]["id"].to_string();
    assert!(letters[0]["error"].as_str().is_some_and(|it| it.contains("nobody counts below zero")), "{letters}");
    assert!(cli.stock(&["doctor"]).found().contains("projections dlq-list my_projection"));
    let again = cli.mounted(&["projections", "dlq-requeue", "my_projection", "--id", &id]).found();
    assert!(again.contains("failed again"), "{again}");
    assert!(cli.mounted(&["projections", "dlq-delete", "my_projection", "--id", "4711"]).failed(1).contains("4711"));
    cli.mounted(&["projections", "dlq-delete", "my_projection", "--id", &id]).ok();
    assert_eq!(cli.stock(&["projections", "dlq-list", "my_projection"]).ok(), "No dead letters.\n");
    Ok(())
}

/// A command that runs until it is told to stop, and its metrics.
struct Running {
    child: std::process::Child,
    addr: String,
}

impl Running {
    fn begin(cli: &Cli, args: &[&str]) -> Result<Self, Box<dyn std::error::Error>> {
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut command = mounted();
        command.args(["projections", "run", "--metrics-addr", &addr]).args(args).env("DATABASE_URL", cli.db.url());
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut said = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut said)?;
        assert!(said.contains(&format!("http://{addr}/metrics")), "{said}");
        Ok(Self { child, addr })
    }

    /// Scrapes until the page names all of these.
    fn until_seen(&self, names: &[&str]) {
        blocking_until(&format!("{names:?} in the metrics"), || {
            let page = self.scrape().expect("a page");
            names.iter().all(|name| page.contains(name))
        });
    }

    fn scrape(&self) -> std::io::Result<String> {
        let mut scrape = TcpStream::connect(&self.addr)?;
        scrape.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut page = String::new();
        scrape.read_to_string(&mut page)?;
        Ok(page)
    }

    fn stop(mut self) -> TestResult {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?.success());
        assert!(self.child.wait()?.success());
        Ok(())
    }
}

async fn until_counted(store: &rillflow::Store, id: Uuid) -> TestResult {
    Ok(until("its document", async || Ok(store.docs().get::<Total>(&id).await?.is_some())).await?)
}

const MARK: [&str; 3] = ["rillflow_mark_position", "rillflow_mark_lag", "rillflow_mark_age_seconds"];

#[tokio::test]
async fn run_serves_metrics_until_it_is_told_to_stop() -> TestResult {
    let cli = Cli::new().await?;
    let id = count(&cli, 5).await?;
    let owner = Running::begin(&cli, &[])?;
    until_counted(&cli.store, id).await?;
    owner.until_seen(&["rillflow_projection_position{projection=\"my_projection\"}", MARK[0], MARK[1], MARK[2]]);
    // one that has no projection to run, as another owns it, tells of the mark too
    let other = Running::begin(&cli, &[])?;
    other.until_seen(&MARK);
    other.stop()?;
    owner.stop()
}

#[tokio::test]
async fn run_serves_all_tenants_on_few_connections() -> TestResult {
    let cli = Cli::empty().await?;
    let store = crate::domain::configure(rillflow::Store::builder(cli.db.url()));
    let store = store.tenants(rillflow::TenancyMode::SchemaPerTenant).build().await?;
    store.ensure_tenant("acme").await?;
    let running = Running::begin(&cli, &["--all-tenants", "--connections", "2"])?;
    for name in ["acme", "made-later"] {
        let tenant = store.ensure_tenant(name).await?;
        let id = Uuid::now_v7();
        tenant.aggregate::<Counter>(id).append(Expected::Any, vec![CounterEvent::Inc(Inc { by: 3 })]).await?;
        until_counted(&tenant, id).await?;
    }
    running.until_seen(&["rillflow_projection_position"]);
    running.stop()?;
    assert_eq!(cli.mounted(&["projections", "run", "--all-tenants", "--tenant", "acme"]).code, Some(2));
    assert_eq!(cli.mounted(&["projections", "run", "--connections", "2"]).code, Some(2));
    assert_eq!(cli.mounted(&["projections", "run", "--all-tenants", "--connections", "0"]).code, Some(2));
    Ok(())
}
