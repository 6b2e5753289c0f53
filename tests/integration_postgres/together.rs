use rillflow::{Cursor, Document, Error, NumberedPage, Page, Query, Store, compiled_query};

use crate::orders::{Customer, CustomerId, Status, customer};
use crate::served::served;
use crate::support::{Db, TestResult, statements_sent, store_with, transactions};

#[compiled_query]
fn by_email(email: &str) -> impl Query<Option<Customer>> {
    Customer::query().filter(|c| c.email == email).one()
}

#[compiled_query]
fn newest(status: Status, limit: i64) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.status == status).order_by(|c| c.created_at.desc()).limit(limit)
}

#[compiled_query]
fn tagged(tag: &str, city: &str) -> impl Query<i64> {
    Customer::query().filter(|c| c.tags.contains(tag) && c.address.city == city).count()
}

#[compiled_query]
fn quoted() -> impl Query<bool> {
    Customer::query().filter(|c| c.tags.contains("it's $1")).exists()
}

#[compiled_query]
fn handles(status: Status, after: Option<Cursor>, size: i64) -> impl Query<Page<String>> {
    Customer::query()
        .filter(|c| c.status == status)
        .order_by(|c| c.created_at.desc())
        .select(|c| c.handle)
        .page(after, size)
}

#[compiled_query(allow(sort))]
fn numbered(city: &str) -> impl Query<NumberedPage<(CustomerId, Option<f64>)>> {
    Customer::query()
        .filter(|c| c.address.city == city)
        .order_by(|c| c.id.asc())
        .select(|c| (c.id, c.score))
        .numbered_page(1, 3)
}

#[compiled_query]
fn greatest(status: Status) -> impl Query<Option<f64>> {
    Customer::query().filter(|c| c.status == status).max(|c| c.score)
}

served!(
    by_email("c7@example.com"),
    newest(Status::Active, 3),
    tagged("vip", "city 7"),
    quoted(),
    handles(Status::Active, None, 2),
    numbered("city 7"),
    greatest(Status::Active),
);

async fn filled(schema: &str) -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store_with(|it| it.schema(schema).document::<Customer>()).await?;
    store.docs().bulk_insert((0..20).map(customer)).run().await?;
    Ok((db, store))
}

#[tokio::test]
async fn queries_of_different_results_go_in_one_statement() -> TestResult {
    for schema in ["public", "app"] {
        let (_db, store) = filled(schema).await?;
        let after = store.query(handles(Status::OnHold, None, 2)).await?.next;
        let eight = || {
            (
                by_email("c7@example.com"),
                newest(Status::Active, 3),
                tagged("it's", "Oslo"),
                quoted(),
                handles(Status::OnHold, after.clone(), 2),
                numbered("Bergen"),
                greatest(Status::OnHold),
                Customer::query().filter(|c| c.handle.eq("c4")).select(|c| c.score).one(),
            )
        };
        statements_sent();
        let (one, many, count, exists, page, numbered_page, max, selected) = store.query_all(eight()).await?;
        assert_eq!(statements_sent(), 1);
        assert_eq!(one, Some(customer(7)));
        assert_eq!(many, [customer(18), customer(16), customer(14)], "in their order");
        assert_eq!((count, exists), (4, false));
        assert_eq!(page.items, ["c15", "c13"]);
        assert_eq!((numbered_page.items.len(), numbered_page.total), (3, 10));
        assert_eq!((max, selected), (Some(19.0), Some(None)));

        let again = eight();
        let alone = (
            store.query(again.0).await?,
            store.query(again.1).await?,
            store.query(again.2).await?,
            store.query(again.3).await?,
            store.query(again.4).await?,
            store.query(again.5).await?,
            store.query(again.6).await?,
            store.query(again.7).await?,
        );
        assert_eq!(store.query_all(eight()).await?, alone, "together as alone");
        assert_eq!(store.query_all((tagged("vip", "Oslo"),)).await?, (4,));
    }
    Ok(())
}

#[tokio::test]
async fn a_combination_is_prepared_once() -> TestResult {
    let db = rillflow::testing::TestDatabase::create().await?;
    let store = Store::builder(db.url()).max_connections(1).document::<Customer>().build().await?;
    store.schema().sync(&rillflow::SchemaConfig::single_tenant()).await?;
    store.docs().put(&customer(1)).await?;
    for n in 0..5 {
        let email = format!("c{n}@example.com");
        let (one, number) = store.query_all((by_email(&email), tagged("vip", "Oslo"))).await?;
        assert_eq!((one.is_some(), number), (n == 1, 0));
    }
    let prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%UNION ALL%' AND generic_plans + custom_plans = 5";
    assert_eq!(sqlx::query_scalar::<_, i64>(prepared).fetch_one(store.pool()).await?, 1);
    Ok(())
}

#[tokio::test]
async fn all_of_them_see_the_same_moment() -> TestResult {
    let (_db, store) = filled("public").await?;
    let before = transactions(store.pool()).await?;
    let counts = || (tagged("vip", "Oslo"), Customer::query().count(), tagged("vip", "Oslo"));
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..60 {
                let mut customer = customer(n);
                customer.address.city = "Oslo".into();
                customer.tags = vec!["vip".into()];
                store.docs().put(&customer).await?;
            }
            Ok::<_, Error>(())
        })
    };
    while !writer.is_finished() {
        let (first, _, last) = store.query_all(counts()).await?;
        assert_eq!(first, last);
    }
    writer.await??;
    assert_eq!(store.query_all(counts()).await?, (60, 60, 60));
    assert!(transactions(store.pool()).await? > before);
    Ok(())
}

#[tokio::test]
async fn one_that_fails_fails_them_all() -> TestResult {
    let (_db, store) = filled("public").await?;
    let anybody = || Customer::query().one();
    let refused = store.query_all((Customer::query().count(), anybody())).await;
    assert!(matches!(refused, Err(Error::NotUnique { query: "customers" })), "{refused:?}");
    let foreign: Cursor = store.query(handles(Status::Active, None, 2)).await?.next.ok_or("no second page")?;
    let by_id = Customer::query().order_by(|c| c.id.asc()).page(Some(foreign), 2);
    statements_sent();
    let refused = store.query_all((Customer::query().count(), by_id)).await;
    assert!(matches!(refused, Err(Error::InvalidCursor { .. })), "{refused:?}");
    assert_eq!(statements_sent(), 0);
    Ok(())
}
