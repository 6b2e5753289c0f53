use crate::kit::{Cli, TestResult, mounted, run, stock, the_readme_shows};

#[tokio::test]
async fn sync_makes_the_tables_and_then_has_nothing_to_do() -> TestResult {
    let cli = Cli::empty().await?;
    let planned = cli.stock(&["schema-plan"]).ok();
    assert!(planned.contains("1. ") && planned.contains("CREATE TABLE"), "{planned}");
    assert!(cli.stock(&["schema", "sync"]).ok().contains("done: migration 0001_streams_and_events"));
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

#[tokio::test]
async fn a_plan_names_steps_statements_and_locks_and_assert_ends_with_3() -> TestResult {
    let cli = Cli::new().await?;
    assert_eq!(cli.stock(&["schema", "plan"]).ok(), "The schema is as this program wants it.\n");
    cli.mounted(&["schema", "assert"]).ok();
    sqlx::raw_sql("DROP INDEX docs_customers_email_idx").execute(cli.store.pool()).await?;
    let plan = cli.mounted(&["schema", "plan"]).ok();
    the_readme_shows("schema plan", &plan);
    assert!(cli.mounted(&["schema", "plan", "--sql"]).ok().contains("INDEX CONCURRENTLY"));
    let json = cli.mounted(&["schema", "plan", "--json"]).json();
    assert_eq!(json["steps"][0]["destructive"], false);
    cli.mounted(&["schema", "assert"]).found();
    cli.mounted(&["schema", "sync"]).ok();
    cli.mounted(&["schema", "assert"]).ok();
    Ok(())
}

#[test]
fn patch_and_dump_ask_no_database() -> TestResult {
    let patch = run(mounted().args(["schema", "patch", "--schema", "app"])).ok();
    assert!(patch.contains("docs_customers") && patch.contains("app"), "{patch}");
    let file = std::env::temp_dir().join(format!("rillflow-dump-{}.sql", std::process::id()));
    run(mounted().args(["schema", "dump"]).arg(&file)).ok();
    assert!(std::fs::read_to_string(&file)?.contains("CREATE TABLE public.events"));
    std::fs::remove_file(&file)?;
    assert!(run(stock().args(["schema", "dump", "/nowhere/at/all.sql"])).failed(1).contains("cannot write"));
    Ok(())
}

#[tokio::test]
async fn roles_are_printed_without_a_database_and_applied_with_one() -> TestResult {
    let script = run(mounted().args(["schema", "roles", "--prefix", "shop"])).ok();
    assert!(script.contains("shop_reader") && script.contains("docs_customers"), "{script}");
    let cli = Cli::new().await?;
    let prefix = cli.db.name();
    let args = ["schema", "roles", "--apply", "--prefix", prefix];
    assert!(cli.mounted(&args).failed(2).contains("say --yes"));
    assert!(cli.mounted(&[&args[..], &["--yes"]].concat()).ok().contains(&format!("{prefix}_writer")));
    let reads = "SELECT has_table_privilege($1 || '_reader', 'public.docs_customers', 'SELECT')";
    let reads: bool = sqlx::query_scalar(reads).bind(prefix).fetch_one(cli.store.pool()).await?;
    for role in ["owner", "writer", "reader", "daemon"] {
        let name = format!("\"{prefix}_{role}\"");
        let drop = sqlx::AssertSqlSafe(format!("DROP OWNED BY {name} CASCADE; DROP ROLE {name}"));
        sqlx::raw_sql(drop).execute(cli.store.pool()).await?;
    }
    assert!(reads);
    Ok(())
}
