use rillflow::{Event, Expected, Store, TenancyMode, Tenant};
use serde_json::json;
use uuid::Uuid;

use crate::domain::{Customer, configure};
use crate::kit::{Cli, TestResult, databases, run, stock};

/// A tenant as the application has it.
async fn tenant(cli: &Cli, name: &str) -> rillflow::Result<Tenant> {
    let store = configure(Store::builder(cli.db.url())).tenants(TenancyMode::SchemaPerTenant).build().await?;
    store.tenant(name).await
}

#[tokio::test]
async fn tenants_are_made_listed_and_looked_at() -> TestResult {
    let cli = Cli::empty().await?;
    assert_eq!(cli.stock(&["tenants", "list"]).ok(), "No tenants.\n");
    cli.mounted(&["tenants", "ensure", "acme"]).ok();
    cli.stock(&["tenants", "ensure", "Acme Inc."]).ok();
    assert_eq!(cli.json(&["tenants", "list"]), json!(["Acme Inc.", "acme"]));
    tenant(&cli, "acme").await?.events().append_stream(Uuid::now_v7(), Expected::Any, [Event::new("a", &1)]).await?;
    let all = cli.json(&["tenants", "status"]);
    assert_eq!((&all[0]["position"], &all[1]["position"]), (&0.into(), &1.into()), "{all}");
    let one = cli.mounted(&["tenants", "status", "acme", "--json"]).json();
    assert_eq!((&one[0]["name"], &one[0]["differences"]), (&"acme".into(), &0.into()));
    Ok(())
}

#[tokio::test]
async fn migrate_brings_every_tenant_up_to_what_the_program_wants() -> TestResult {
    let cli = Cli::empty().await?;
    for name in ["a", "b"] {
        cli.stock(&["tenants", "ensure", name]).ok();
    }
    assert_ne!(cli.mounted(&["tenants", "status", "b", "--json"]).json()[0]["differences"], 0);
    let migrated = cli.mounted(&["tenants", "migrate", "--json"]).json();
    assert_eq!(migrated.as_array().map(Vec::len), Some(2), "{migrated}");
    assert_eq!(cli.mounted(&["tenants", "status", "b", "--json"]).json()[0]["differences"], 0);

    let schema = tenant(&cli, "b").await?.schema_name().to_owned();
    // nobody makes a table where a view is
    let foreign = format!("DROP TABLE \"{schema}\".events CASCADE; CREATE VIEW \"{schema}\".events AS SELECT 1");
    sqlx::raw_sql(sqlx::AssertSqlSafe(foreign)).execute(cli.store.pool()).await?;
    let ended = cli.mounted(&["tenants", "migrate"]);
    assert!(ended.stdout.contains("a: 0 steps\n") && ended.stdout.contains("b: "), "{ended:#?}");
    assert!(ended.failed(1).contains("1 of 2 tenants failed"));
    Ok(())
}

#[tokio::test]
async fn every_command_works_on_the_tenant_that_a_flag_or_the_environment_names() -> TestResult {
    let cli = Cli::empty().await?;
    for name in ["a", "b"] {
        cli.mounted(&["tenants", "ensure", name]).ok();
    }
    let id = cli.stock(&["--tenant", "a", "streams", "resolve", "orders:1"]).ok();
    let again = run(stock()
        .args(["streams", "resolve", "orders:1", "--database-url", cli.db.url()])
        .env("RILLFLOW_TENANT", "a"));
    assert_eq!(again.ok(), id);
    assert_eq!(
        tenant(&cli, "a").await?.find_stream_alias("orders:1").await?.map(|it| it.to_string()),
        Some(id.trim().to_owned())
    );
    assert_eq!(tenant(&cli, "b").await?.find_stream_alias("orders:1").await?, None);
    cli.mounted(&["schema", "assert", "--tenant", "b"]).ok();
    let unknown = cli.stock(&["projections", "list", "--tenant", "A"]).failed(1);
    assert!(unknown.contains("there is no tenant `A`") && unknown.contains("rillflow tenants ensure"), "{unknown}");
    assert!(cli.stock(&["schema", "dump", "--tenant", "a"]).failed(2).contains("--schema"));
    Ok(())
}

#[tokio::test]
async fn tenants_that_share_tables_are_made_and_used_in_the_same_way() -> TestResult {
    let cli = Cli::empty().await?;
    cli.mounted(&["tenants", "ensure", "acme", "--shared-tables"]).ok();
    cli.mounted(&["tenants", "ensure", "globex"]).ok(); // the schema tells
    assert_eq!(cli.json(&["tenants", "list"]), json!(["acme", "globex"]));
    assert!(cli.mounted(&["tenants", "migrate", "--allow-destructive"]).ok().contains("globex: 0 steps"));
    let said = cli.stock(&["--tenant", "acme", "streams", "resolve", "orders:1"]).failed(1);
    assert!(said.contains("passes row level security"), "{said}");
    let said = cli.mounted(&["schema", "sync", "--yes"]).failed(1);
    assert!(said.contains("is shared by tenants"), "{said}");

    let role = format!("{}_common", cli.db.name());
    let make = format!(
        "CREATE ROLE \"{role}\"; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \"{role}\"; \
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO \"{role}\""
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(make)).execute(cli.store.pool()).await?;
    let and = if cli.db.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{and}options[role]={role}", cli.db.url());
    let as_role = |args: &[&str]| run(stock().args(args).args(["--database-url", &url]));
    let of = |tenant| as_role(&["--tenant", tenant, "streams", "resolve", "orders:1"]).ok();
    let (acme, globex) = (of("acme"), of("globex"));
    assert_eq!((of("acme") == acme, acme == globex), (true, false));
    as_role(&["tenants", "drop", "acme", "--force"]).ok();
    assert_eq!((cli.json(&["tenants", "list"]), of("globex")), (json!(["globex"]), globex));
    let gone = format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"");
    sqlx::raw_sql(sqlx::AssertSqlSafe(gone)).execute(cli.store.pool()).await?;
    Ok(())
}

#[tokio::test]
async fn a_tenant_that_holds_something_is_dropped_by_force_only() -> TestResult {
    let cli = Cli::empty().await?;
    for name in ["empty", "full"] {
        cli.mounted(&["tenants", "ensure", name]).ok();
    }
    let customer = Customer { id: 1, email: "a@b".to_owned(), score: 1 };
    tenant(&cli, "full").await?.docs().put(&customer).await?;
    // the stock binary knows nothing of customers
    let said = cli.stock(&["tenants", "drop", "full", "--yes"]).failed(1);
    assert!(said.contains("holds events or documents") && said.contains("--force"), "{said}");
    assert_eq!(tenant(&cli, "full").await?.docs().get::<Customer>(&1).await?.map(|it| it.0.score), Some(1));
    assert!(cli.stock(&["tenants", "drop", "empty"]).failed(2).contains("say --yes"));
    assert_eq!(cli.stock(&["tenants", "drop", "empty", "--yes"]).ok(), "dropped empty\n");
    assert_eq!(cli.stock(&["tenants", "drop", "full", "--force"]).ok(), "dropped full\n");
    assert_eq!(cli.json(&["tenants", "list"]), json!([]));
    Ok(())
}

#[tokio::test]
async fn tenants_with_a_database_each_are_found_where_the_application_says() -> TestResult {
    let (one, two) = (Cli::empty().await?, Cli::empty().await?);
    let places = format!("acme={}\nglobex={}", one.db.url(), two.db.url());
    let run = |args: &[&str]| run(databases().args(args).env("TENANT_DATABASES", &places));
    run(&["tenants", "ensure", "acme"]).ok();
    run(&["tenants", "migrate"]).ok();
    assert_eq!(run(&["tenants", "list", "--json"]).json(), json!(["acme", "globex"]));
    run(&["streams", "resolve", "orders:1", "--tenant", "acme"]).ok();
    let here: i64 = sqlx::query_scalar("SELECT count(*) FROM stream_aliases").fetch_one(one.store.pool()).await?;
    let there: i64 = sqlx::query_scalar("SELECT count(*) FROM stream_aliases").fetch_one(two.store.pool()).await?;
    assert_eq!((here, there), (1, 0));
    let nobody = run(&["streams", "resolve", "orders:1", "--tenant", "nobody"]).failed(1);
    assert!(nobody.contains("nobody"), "{nobody}");
    Ok(())
}
