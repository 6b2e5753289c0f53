use rillflow::{Event, Expected, Store};
use rillflow_tests::private_server::PrivateServer;
use rillflow_tests::waiting::{SOON, until};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::domain::{Counter, CounterEvent, Inc};
use crate::kit::{Cli, README, TestResult, run, stock, without_numbers};

/// The finding of a check, as `severity: problem -> fix`.
fn finding(diagnosis: &Value, check: &str) -> String {
    let all = diagnosis["findings"].as_array().into_iter().flatten();
    let of: Vec<_> = all.filter(|it| it["check"] == check).collect();
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    of.iter()
        .map(|it| format!("{}: {} -> {}", text(&it["severity"]), text(&it["problem"]), text(&it["fix"])))
        .collect::<Vec<_>>()
        .join("\n")
}

impl Cli {
    fn diagnosis(&self) -> Value {
        serde_json::from_str(&self.stock(&["doctor", "--json"]).stdout).unwrap_or_default()
    }

    async fn execute(&self, text: &'static str) -> TestResult {
        sqlx::raw_sql(text).execute(self.store.pool()).await?;
        Ok(())
    }
}

#[tokio::test]
async fn the_readme_shows_what_doctor_prints() -> TestResult {
    let cli = Cli::new().await?;
    append(&cli.store).await?;
    let printed = cli.mounted(&["doctor"]).stdout;
    let readme = without_numbers(README);
    // the others tell of what was left open there, and of one database of one version
    let shown =
        |line: &&str| ["schema", "role", "drift", "sequence"].contains(&line.split_whitespace().nth(1).unwrap_or(""));
    for line in printed.lines().filter(shown) {
        assert!(readme.contains(without_numbers(line).trim_end()), "not in the readme: {line}");
    }
    Ok(())
}

fn with_setting(cli: &Cli, setting: &str) -> String {
    let url = cli.db.url();
    format!("{url}{}{setting}", if url.contains('?') { '&' } else { '?' })
}

async fn append(store: &Store) -> TestResult {
    store.events().append_stream(Uuid::now_v7(), Expected::NoStream, [Event::new("tick", &1)]).await?;
    Ok(())
}

#[tokio::test]
async fn a_healthy_store_is_ok_in_every_respect() -> TestResult {
    let cli = Cli::new().await?;
    append(&cli.store).await?;
    let said = cli.stock(&["doctor"]).ok();
    for check in ["connection", "version", "schema", "drift", "role", "sequence", "mark"] {
        assert!(said.lines().any(|line| line.starts_with("ok ") && line.contains(check)), "{check}: {said}");
    }
    assert_eq!(cli.diagnosis()["healthy"], true);
    Ok(())
}

#[test]
fn a_server_that_does_not_answer_is_a_finding() -> TestResult {
    let ended = run(stock().args(["doctor", "--json", "--database-url", "postgres://nobody@127.0.0.1:1/none"]));
    let diagnosis: Value = serde_json::from_str(&ended.found())?;
    let said = finding(&diagnosis, "connection");
    assert!(said.starts_with("critical: ") && said.contains("refused") && said.contains("-> is PostgreSQL"), "{said}");
    Ok(())
}

#[tokio::test]
async fn what_the_schema_lacks_is_named() -> TestResult {
    let cli = Cli::empty().await?;
    let said = cli.stock(&["doctor"]).found();
    assert!(said.contains("schema `public` holds no store") && said.contains("-> `rillflow schema sync`"), "{said}");
    assert!(cli.stock(&["doctor", "--schema", "nowhere"]).found().contains("there is no schema `nowhere`"));
    cli.stock(&["schema", "sync"]).ok();
    cli.execute("DELETE FROM rillflow_migrations WHERE version = 4").await?;
    assert!(cli.stock(&["doctor"]).found().contains("migrations are missing: 0004_aliases_and_snapshots"));
    cli.execute("INSERT INTO rillflow_migrations VALUES (4, 'back'), (99, 'of tomorrow')").await?;
    assert!(cli.stock(&["doctor"]).found().contains("a newer rillflow has been here: migration 0099"));
    Ok(())
}

#[tokio::test]
async fn a_catalog_that_drifted_is_found() -> TestResult {
    let cli = Cli::new().await?;
    cli.execute("DROP INDEX docs_customers_email_idx").await?;
    let said = cli.mounted(&["doctor"]).found();
    assert!(
        said.contains("the catalog differs: index docs_customers_email_idx") && said.contains("schema plan"),
        "{said}"
    );
    // the stock binary does not know what customers should be like
    cli.stock(&["doctor"]).ok();
    Ok(())
}

#[tokio::test]
async fn who_holds_the_mark_is_named_with_program_and_statement() -> TestResult {
    let cli = Cli::new().await?;
    let mut billing = PgConnection::connect(&with_setting(&cli, "application_name=billing")).await?;
    let mut open = billing.begin().await?;
    cli.store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::NoStream, [Event::new("tick", &1)]).await?;
    append(&cli.store).await?;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *open).await?;
    let said = finding(&cli.diagnosis(), "mark");
    assert!(said.contains(&format!("held by pid {pid} (billing, ")), "{said}");
    assert!(said.contains("idle in transaction") && said.contains("SELECT pg_backend_pid()"), "{said}");
    assert!(said.contains(&format!("pg_terminate_backend({pid})")), "{said}");
    open.rollback().await?;
    assert!(finding(&cli.diagnosis(), "mark").starts_with("ok: "));
    Ok(())
}

#[tokio::test]
async fn a_prepared_transaction_that_holds_the_mark_is_named() -> TestResult {
    let Some(server) = PrivateServer::start(&["max_prepared_transactions=5"]).await? else { return Ok(()) };
    let url = server.create_database("prepared").await?;
    let store = Store::connect(&url).await?;
    store.schema().sync(&rillflow::SchemaConfig::single_tenant()).await?;
    let mut open = store.pool().begin().await?;
    store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::NoStream, [Event::new("tick", &1)]).await?;
    sqlx::raw_sql("PREPARE TRANSACTION 'it''s forgotten'").execute(&mut *open).await?;
    drop(open);
    append(&store).await?;
    let said = run(stock().args(["doctor", "--database-url", &url])).found();
    assert!(said.contains("held by the prepared transaction `it's forgotten`"), "{said}");
    assert!(said.contains("ROLLBACK PREPARED 'it''s forgotten'"), "{said}");
    sqlx::raw_sql("ROLLBACK PREPARED 'it''s forgotten'").execute(store.pool()).await?;
    Ok(())
}

#[tokio::test]
async fn a_projection_that_is_behind_says_why() -> TestResult {
    let cli = Cli::new().await?;
    let counter = cli.store.aggregate::<Counter>(Uuid::now_v7());
    let appended = counter.append(Expected::Any, vec![CounterEvent::Inc(Inc { by: 1 })]).await?;
    let daemon = cli.store.start_daemon().await?;
    cli.store.wait_for("my_projection", appended.position(), SOON).await?;
    assert!(finding(&cli.diagnosis(), "projection").starts_with("ok: `my_projection` is up to date"));
    daemon.shutdown().await;

    append(&cli.store).await?;
    let said = finding(&cli.diagnosis(), "projection");
    assert!(said.starts_with("warning: `my_projection` is 1 position behind") && said.contains("no process"), "{said}");
    cli.execute("UPDATE projections SET status = 'paused'").await?;
    let said = finding(&cli.diagnosis(), "projection");
    assert!(said.contains("it is paused -> `rillflow projections resume my_projection`"), "{said}");
    cli.execute("UPDATE projections SET error = 'out of luck', status = 'running'").await?;
    let said = finding(&cli.diagnosis(), "projection");
    assert!(said.starts_with("critical: ") && said.contains("it failed: out of luck"), "{said}");
    Ok(())
}

#[tokio::test]
async fn what_would_lose_events_is_critical() -> TestResult {
    let cli = Cli::new().await?;
    cli.execute("ALTER SEQUENCE events_global_seq CACHE 20").await?;
    let said = cli.stock(&["doctor"]).found();
    assert!(said.contains("cache 20") && said.contains("events_global_seq CACHE 1"), "{said}");
    cli.execute("ALTER SEQUENCE events_global_seq CACHE 1; ALTER TABLE events DISABLE TRIGGER events_announce").await?;
    assert!(finding(&cli.diagnosis(), "sequence").contains("ENABLE TRIGGER events_announce"));
    cli.execute("ALTER TABLE events ENABLE TRIGGER events_announce").await?;
    append(&cli.store).await?;
    cli.execute("SELECT setval('events_global_seq', 1, false)").await?;
    assert!(finding(&cli.diagnosis(), "sequence").contains("setval"));
    Ok(())
}

#[tokio::test]
async fn invalid_indexes_and_dead_rows_are_found() -> TestResult {
    let cli = Cli::new().await?;
    cli.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indrelid = 'docs_customers'::regclass AND NOT indisprimary;
         ALTER TABLE event_marks SET (autovacuum_enabled = false)",
    )
    .await?;
    // one transaction, so that no row of it can be pruned
    cli.execute("DO $$ BEGIN FOR i IN 1..1500 LOOP UPDATE event_marks SET mark = 0; END LOOP; END $$").await?;
    let said = finding(&cli.diagnosis(), "index");
    assert!(said.contains("of docs_customers is invalid") && said.contains("REINDEX INDEX CONCURRENTLY"), "{said}");
    // the server tells its figures when the session that made them rests
    let seen = async || Ok(finding(&cli.diagnosis(), "bloat").contains("VACUUM \"public\".\"event_marks\""));
    Ok(until("the dead rows", seen).await?)
}

#[tokio::test]
async fn a_role_that_may_do_little_is_told_so() -> TestResult {
    let cli = Cli::new().await?;
    let role = format!("clerk_{}", Uuid::now_v7().simple());
    let statements = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA public TO {role};
         GRANT SELECT ON rillflow_migrations TO {role}"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(cli.store.pool()).await?;
    let url = with_setting(&cli, &format!("options=-c%20role%3D{role}"));
    let said = run(stock().args(["doctor", "--database-url", &url])).found();
    assert!(said.contains("may not read the events"), "{said}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("DROP OWNED BY {role}; DROP ROLE {role}")))
        .execute(cli.store.pool())
        .await?;
    Ok(())
}
