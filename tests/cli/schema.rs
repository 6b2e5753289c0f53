use crate::kit::{Cli, TestResult, run, stock};

#[tokio::test]
async fn sync_makes_the_tables_and_then_has_nothing_to_do() -> TestResult {
    let cli = Cli::empty().await?;
    assert!(cli.stock(&["schema", "sync"]).ok().contains("made migration 0001_streams_and_events"));
    assert_eq!(cli.stock(&["schema", "sync"]).ok(), "Up to date: nothing to do.\n");
    assert_eq!(cli.json(&["schema-sync"])["steps"], serde_json::json!([]));
    Ok(())
}

#[tokio::test]
async fn a_mounted_command_line_makes_the_collections_of_its_application() -> TestResult {
    let cli = Cli::empty().await?;
    assert!(cli.mounted(&["schema", "sync"]).ok().contains("customers"));
    Ok(())
}

#[tokio::test]
async fn the_schema_comes_from_a_flag_before_or_after_or_from_the_environment() -> TestResult {
    let cli = Cli::empty().await?;
    cli.stock(&["--schema", "before", "schema", "sync"]).ok();
    cli.stock(&["schema", "sync", "--schema", "after"]).ok();
    let url = cli.db.url();
    run(stock().args(["schema-sync", "--database-url", url]).env("RILLFLOW_SCHEMA", "around")).ok();
    let tables = "SELECT nspname::text FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace \
                  WHERE relname = 'events' ORDER BY 1";
    let schemas: Vec<String> = sqlx::query_scalar(tables).fetch_all(cli.store.pool()).await?;
    assert_eq!(schemas, ["after", "around", "before"]);
    Ok(())
}
