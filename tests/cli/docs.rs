use crate::domain::Customer;
use crate::kit::{Cli, TestResult};
use serde_json::json;
use uuid::Uuid;

async fn with_customers() -> Result<Cli, Box<dyn std::error::Error>> {
    let cli = Cli::new().await?;
    for id in 1..=5 {
        let customer = Customer { id, email: format!("c{id}@example.com"), score: id * 10 };
        cli.store.docs().put(&customer).await?;
    }
    Ok(cli)
}

#[tokio::test]
async fn a_document_of_any_collection_is_found_by_its_id() -> TestResult {
    let cli = with_customers().await?;
    let found = cli.json(&["docs", "get", "customers", "3"]);
    assert_eq!((&found["version"], &found["document"]["email"]), (&1.into(), &"c3@example.com".into()));
    assert!(cli.stock(&["docs", "get", "customers", "3"]).ok().contains("\"email\": \"c3@example.com\""));
    let collections = cli.json(&["docs", "collections"]);
    let names: Vec<_> = collections.as_array().ok_or("a list")?.iter().map(|it| it["collection"].clone()).collect();
    assert_eq!(json!(names), json!(["docs", "customers", "totals"]));
    Ok(())
}

#[tokio::test]
async fn documents_are_found_by_what_they_hold() -> TestResult {
    let cli = with_customers().await?;
    let query = |more: &[&str]| cli.json(&[&["docs", "query", "customers"], more].concat());
    let ids = |found: serde_json::Value| -> Vec<i64> {
        found.as_array().into_iter().flatten().filter_map(|it| it["id"].as_i64()).collect()
    };
    assert_eq!(ids(query(&["--filter", "score>20", "--filter", "score<=40", "--order", "score:desc"])), [4, 3]);
    assert_eq!(ids(query(&["-f", "email=c2@example.com"])), [2]);
    assert_eq!(ids(query(&["--order", "score", "--limit", "2", "--offset", "1"])), [2, 3]);
    assert_eq!(query(&["-f", "score!=10", "--count"]), json!({ "count": 4 }));
    assert_eq!(query(&["-f", "score=50", "--select", "email"]), json!([{ "email": "c5@example.com" }]));
    assert!(query(&["--explain"])["plan"].as_array().is_some_and(|lines| !lines.is_empty()));
    Ok(())
}

#[tokio::test]
async fn a_document_is_deleted_and_restored() -> TestResult {
    let cli = with_customers().await?;
    assert!(cli.stock(&["docs", "soft-delete", "customers", "2"]).ok().contains("deleted, version 2"));
    assert!(cli.stock(&["docs", "soft-delete", "customers", "2"]).ok().contains("deleted already"));
    assert!(cli.store.docs().get::<Customer>(&2).await?.is_none());
    assert!(cli.json(&["docs", "get", "customers", "2"])["deleted_at"].is_string());
    assert_eq!(cli.json(&["docs", "restore", "customers", "2"])["version"], 3);
    assert!(cli.store.docs().get::<Customer>(&2).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn documents_of_no_declared_type_are_put_and_found() -> TestResult {
    let cli = Cli::new().await?;
    let id = Uuid::now_v7().to_string();
    cli.stock(&["docs", "put", &id, r#"{"tags": ["vip"], "n": 1}"#]).ok();
    assert_eq!(cli.json(&["docs", "query", "docs", "-f", "tags~vip"]), json!([{ "tags": ["vip"], "n": 1 }]));
    assert!(cli.stock(&["docs", "put", &id, "{"]).failed(2).contains("no JSON"));
    Ok(())
}

#[tokio::test]
async fn index_advice_tells_an_invalid_index_and_a_filter_that_none_serves() -> TestResult {
    let cli = with_customers().await?;
    cli.stock(&["docs", "index-advice", "customers"]).ok();
    let advice = cli.stock(&["docs", "index-advice", "customers", "--filter", "score=10"]).found();
    assert!(advice.contains("declare an index on `score`"), "{advice}");
    let invalid = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = \
                   (SELECT indexrelid FROM pg_index WHERE indrelid = 'docs_customers'::regclass AND NOT indisprimary)";
    sqlx::query(invalid).execute(cli.store.pool()).await?;
    assert!(cli.stock(&["docs", "index-advice"]).found().contains("is invalid"));
    Ok(())
}
