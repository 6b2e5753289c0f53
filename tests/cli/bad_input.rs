use rillflow_tests::waiting::SOON;

use crate::kit::{Cli, TestResult, mounted, run, stock};

#[test]
fn without_a_database_it_says_which_flag_to_give() {
    let said = run(stock().args(["schema", "sync"])).failed(2);
    assert!(said.contains("--database-url") && said.contains("DATABASE_URL"), "{said}");
}

#[test]
fn an_unreachable_server_is_one_line_at_once() {
    let began = std::time::Instant::now();
    // port 1 belongs to nobody
    let command = ["schema", "sync", "--database-url", "postgres://nobody@127.0.0.1:1/none"];
    let said = run(stock().args(command).env("RILLFLOW_CONNECT_TIMEOUT", "300")).failed(1);
    assert!(said.contains("refused") && said.contains("is PostgreSQL running"), "{said}");
    assert!(began.elapsed() < SOON, "it tried again and again");
}

#[test]
fn a_url_that_is_none_is_refused() {
    for url in ["nonsense", "http://localhost/x", "postgres://localhost:notaport/x"] {
        let said = run(stock().args(["schema", "sync", "--database-url", url])).failed(2);
        assert!(said.contains("postgres://"), "{said}");
    }
}

#[test]
fn an_unknown_command_or_flag_is_2_and_help_is_0() {
    for args in [&["strems"][..], &["streams", "show"], &["streams", "show", "x", "--frm", "1"], &["--json"]] {
        assert_eq!(run(stock().args(args)).code, Some(2), "{args:?}");
    }
    assert!(run(stock().args(["--help"])).ok().contains("Exit codes"));
    assert!(run(stock().args(["--version"])).ok().contains("rillflow "));
    assert!(run(mounted().args(["completions", "bash"])).ok().contains("complete -F"));
}

#[tokio::test]
async fn unknown_names_and_wrong_ids_are_one_line_with_what_to_do() -> TestResult {
    let cli = Cli::new().await?;
    let unknown = cli.stock(&["docs", "get", "nowhere", "1"]).failed(1);
    assert!(unknown.contains("no collection `nowhere`") && unknown.contains("there are: docs, customers"), "{unknown}");
    let wrong = cli.stock(&["docs", "get", "customers", "one"]).failed(1);
    assert!(wrong.contains("`one` is no id of docs_customers, whose ids are bigint"), "{wrong}");
    assert!(cli.stock(&["docs", "get", "customers", "99"]).failed(1).contains("customers 99 does not exist"));
    assert!(cli.stock(&["docs", "restore", "docs", "'; drop table docs"]).failed(1).contains("is no id"));
    assert!(cli.stock(&["docs", "query", "customers", "--filter", "a..b=1"]).failed(1).contains("is not a path"));
    assert!(cli.stock(&["streams", "show", "orders:404"]).failed(1).contains("neither the id nor the alias"));
    let nil = "00000000-0000-0000-0000-000000000000";
    assert!(cli.stock(&["streams", "archive", nil]).failed(1).contains("does not exist"));
    assert!(cli.stock(&["streams", "resolve", ""]).failed(2).contains("at least one character"));
    assert!(cli.stock(&["schema", "sync", "--schema", "pg_mine"]).failed(1).contains("cannot be the name"));
    Ok(())
}

#[tokio::test]
async fn a_database_without_the_tables_says_which_command_makes_them() -> TestResult {
    let cli = Cli::empty().await?;
    for args in [&["streams", "resolve", "a"][..], &["events", "tail"], &["snapshots", "compact-once"]] {
        assert!(cli.stock(args).failed(1).contains("rillflow schema sync"), "{args:?}");
    }
    Ok(())
}

#[tokio::test]
async fn errors_are_json_when_json_was_asked_for() -> TestResult {
    let cli = Cli::new().await?;
    let ended = cli.stock(&["docs", "get", "nowhere", "1", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&ended.stderr)?;
    assert!(error["error"].as_str().is_some_and(|it| it.contains("nowhere")) && error["help"].is_string());
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    Ok(())
}
