use std::process::Stdio;

use rillflow::testing::TestDatabase;
use rillflow_tests::private_server::PrivateServer;
use rillflow_tests::waiting::until;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::kit::{Cli, TestResult, run, stock};

/// Databases that somebody made for tests on a server.
const MADE: &str = "SELECT datname::text FROM pg_database WHERE datname LIKE 'rillflow\\_test\\_%' ORDER BY datname";

/// A server where a transaction can be prepared, with no database of anybody else.
async fn private() -> Result<Option<PrivateServer>, Box<dyn std::error::Error>> {
    PrivateServer::start(&["max_connections=60", "max_prepared_transactions=5"]).await
}

async fn made(server: &PrivateServer) -> Result<Vec<String>, sqlx::Error> {
    let mut conn = PgConnection::connect(&server.url("postgres")).await?;
    let names = sqlx::query_scalar(MADE).fetch_all(&mut conn).await?;
    conn.close().await?;
    Ok(names)
}

#[tokio::test]
async fn a_server_that_keeps_every_event_is_0_and_keeps_no_database_of_the_torture() -> TestResult {
    let Some(server) = private().await? else { return Ok(()) };
    let torture = ["torture", "--seconds", "2", "--writers", "4", "--readers", "2", "--database-url"];
    let url = server.url("postgres");
    let json = run(stock().args(torture).args([&*url, "--json", "--seed", "7", "--no-batching"])).json();
    assert_eq!(json["clean"], true, "{json:#}");
    for (name, value) in [("seed", 7), ("writers", 4), ("readers", 2), ("seconds", 2)] {
        assert_eq!(json[name], value, "{name}: {json:#}");
    }
    assert_eq!((&json["batching"], &json["errors"]), (&Value::from(false), &Value::Array(Vec::new())), "{json:#}");
    for counter in ["transactions_committed", "events_acknowledged", "events_stored"] {
        assert!(json[counter].as_u64().is_some_and(|it| it > 0), "{counter}: {json:#}");
    }
    assert!(json["longest_wait_ms"].is_number() && json["longest_stall_ms"].is_number(), "{json:#}");
    let faults = json["faults"].as_object().ok_or("no faults")?;
    assert!(faults.len() == 12 && faults.values().all(|it| it == 0), "{json:#}");

    let said = run(stock().args(torture).arg(&url)).ok();
    for line in ["  events stored", "       2  readers of all", "       0  acknowledged and lost", "Nothing was lost"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert_eq!(made(&server).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn an_event_that_vanishes_under_torture_is_3() -> TestResult {
    let Some(server) = private().await? else { return Ok(()) };
    let url = server.url("postgres");
    let mut command = stock();
    command.args(["torture", "--seconds", "3", "--writers", "4", "--json", "--database-url", &url]);
    let torture = tokio::task::spawn_blocking(move || run(&mut command));
    until("it vandalized", async || Ok(vandalized(&server).await.is_ok_and(|gone| gone > 0))).await?;
    let json: Value = serde_json::from_str(&torture.await?.found())?;
    assert_eq!((&json["clean"], &json["faults"]["lost"]), (&Value::from(false), &Value::from(1)), "{json:#}");
    assert_eq!(made(&server).await?, Vec::<String>::new());
    Ok(())
}

/// Takes away an acknowledged event, as no rule of the store would let anybody.
async fn vandalized(server: &PrivateServer) -> Result<u64, sqlx::Error> {
    const DELETE: &str = "DELETE FROM events WHERE global_seq = (SELECT min(global_seq) FROM events)";
    let mut gone = 0;
    for name in made(server).await? {
        let mut conn = PgConnection::connect(&server.url(&name)).await?;
        sqlx::raw_sql("SET session_replication_role = replica").execute(&mut conn).await?;
        // the other database has no such table
        gone += sqlx::raw_sql(DELETE).execute(&mut conn).await.map_or(0, |it| it.rows_affected());
        conn.close().await?;
    }
    Ok(gone)
}

#[cfg(unix)]
#[tokio::test]
async fn a_torture_that_is_interrupted_leaves_no_database_and_no_prepared_transaction() -> TestResult {
    let Some(server) = private().await? else { return Ok(()) };
    let mut command = stock();
    command.args(["torture", "--seconds", "600", "--writers", "2", "--database-url", &server.url("postgres")]);
    let torture = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    until("a prepared transaction", async || Ok(prepared(&server).await.is_ok_and(|it| it > 0))).await?;
    run(std::process::Command::new("sh").args(["-c", &format!("kill -INT {}", torture.id())])).ok();
    let ended = tokio::task::spawn_blocking(move || torture.wait_with_output()).await??;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let said = String::from_utf8(ended.stderr)?;
    assert!(said.lines().any(|line| line.starts_with("error: interrupted")), "{said}");
    assert_eq!((made(&server).await?, prepared(&server).await?), (Vec::new(), 0));
    Ok(())
}

async fn prepared(server: &PrivateServer) -> Result<i64, sqlx::Error> {
    let mut conn = PgConnection::connect(&server.url("postgres")).await?;
    let count = sqlx::query_scalar("SELECT count(*) FROM pg_prepared_xacts").fetch_one(&mut conn).await?;
    conn.close().await?;
    Ok(count)
}

#[tokio::test]
async fn a_torture_that_cannot_be_done_says_why() -> TestResult {
    let cli = Cli::empty().await?;
    let none = cli.stock(&["torture", "--writers", "0"]).failed(2);
    assert!(none.contains("--writers") && none.contains("0 is not in 1.."), "{none}");
    assert!(cli.stock(&["torture", "--seconds", "0"]).failed(2).contains("--seconds"));
    let many = cli.stock(&["torture", "--writers", "60000"]).failed(1);
    assert!(many.contains("60000 writers and 3 readers need 120019 connections") && many.contains("fewer"), "{many}");
    assert!(run(stock().arg("torture")).failed(2).contains("--database-url"));
    Ok(())
}

#[tokio::test]
async fn a_role_that_may_make_no_database_is_told_so() -> TestResult {
    let db = TestDatabase::create().await?;
    let mut conn = PgConnection::connect(db.url()).await?;
    let role = format!("clerk_{}", Uuid::now_v7().simple());
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE ROLE {role}"))).execute(&mut conn).await?;
    let url = format!("{}{}options=-c%20role%3D{role}", db.url(), if db.url().contains('?') { '&' } else { '?' });
    let said = run(stock().args(["torture", "--database-url", &url])).failed(1);
    assert!(
        said.contains("permission denied") && said.contains("help: it makes databases") && said.contains("CREATEDB")
    );
    sqlx::raw_sql(AssertSqlSafe(format!("DROP ROLE {role}"))).execute(&mut conn).await?;
    Ok(())
}
