use rillflow::model::query::AsJson;
use rillflow::{Cursor, Document, Error, Query, Store, compiled_query};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::orders::{Customer, CustomerId, Status, customer};
use crate::served::served;
use crate::support::{Db, TestResult, store_with};

#[compiled_query]
fn by_email(email: &str) -> impl Query<Option<Customer>> {
    Customer::query().filter(|c| c.email == email).one()
}

#[compiled_query]
fn newest(status: Status, limit: i64) -> impl Query<Vec<Customer>> {
    Customer::query()
        .filter(|c| c.status == status && c.tags.contains("vip") && (c.score > 5 || c.score.is_null()))
        .order_by(|c| c.created_at.desc())
        .limit(limit)
}

#[compiled_query]
fn bought(sku: &str) -> impl Query<Vec<CustomerId>> {
    Customer::query().filter(|c| c.lines.any(|l| l.sku == sku)).select(|c| c.id)
}

#[compiled_query]
fn in_city(city: &str) -> impl Query<i64> {
    Customer::query().filter(|c| c.address.city == city).count()
}

#[compiled_query]
fn has_quote() -> impl Query<bool> {
    Customer::query().filter(|c| c.tags.contains("it's")).exists()
}

#[compiled_query(allow(scan))]
fn not_scored(score: f64) -> impl Query<Vec<(String, Option<f64>)>> {
    Customer::query().filter(|c| c.score != score && c.lines.any(|l| l.quantity >= 4)).select(|c| (c.handle, c.score))
}

#[compiled_query(allow(scan))]
fn anybody() -> impl Query<Option<Customer>> {
    Customer::query().one()
}

#[compiled_query]
fn some_of(ids: Vec<CustomerId>) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.id.one_of(ids)).order_by(|c| c.id.asc())
}

/// Sorted by what the filter fixes too.
#[compiled_query]
fn sorted_in(city: &str) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.address.city == city).order_by(|c| (c.address.city.asc(), c.id.asc())).limit(3)
}

served!(
    sorted_in("city 7"),
    by_email("c7@example.com"),
    newest(Status::Active, 20),
    bought("s3"),
    in_city("city 7"),
    has_quote(),
    some_of(vec![customer(1).id, customer(2).id]),
);

/// Customers 0 to 19.
async fn filled() -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store_with(|it| it.document::<Customer>()).await?;
    for n in 0..20 {
        store.docs().put(&customer(n)).await?;
    }
    Ok((db, store))
}

fn numbers(found: &[Customer]) -> Vec<&str> {
    found.iter().map(|it| it.handle.as_str()).collect()
}

#[tokio::test]
async fn compiled_queries_find_what_they_say() -> TestResult {
    let (_db, store) = filled().await?;

    assert_eq!(store.query(by_email("c7@example.com")).await?, Some(customer(7)));
    assert_eq!(store.query(by_email("nobody")).await?, None);
    assert_eq!(numbers(&store.query(newest(Status::Active, 2)).await?), ["c18", "c12"]);
    assert_eq!(store.query(bought("s3")).await?.len(), 4);
    assert_eq!(store.query(in_city("Oslo")).await?, 10);
    assert!(store.query(has_quote()).await?);
    let ids = vec![customer(3).id, customer(1).id];
    assert_eq!(numbers(&store.query(some_of(ids)).await?), ["c1", "c3"]);
    Ok(())
}

#[tokio::test]
async fn a_field_without_a_value_differs_from_every_value() -> TestResult {
    let (_db, store) = filled().await?;
    let found = store.query(not_scored(5.0)).await?;
    assert_eq!(found.iter().filter(|(_, score)| score.is_none()).count(), 4, "c4, c8, c12, c16 have none");
    assert!(found.iter().all(|(handle, _)| handle != "c5"));
    assert_eq!(found.len(), 15);
    Ok(())
}

#[tokio::test]
async fn a_query_for_one_that_finds_more_is_an_error() -> TestResult {
    let (_db, store) = filled().await?;
    assert!(matches!(store.query(anybody()).await, Err(Error::NotUnique { query: "anybody" })));
    Ok(())
}

#[tokio::test]
async fn queries_written_in_place_use_the_same_paths() -> TestResult {
    let (_db, store) = filled().await?;
    let mail = "c6@example.com".to_owned();
    let found = store.docs().query::<Customer>().filter(|c| c.email.eq(mail) & c.score.gt(5.0)).fetch_all().await?;
    assert_eq!(found, [customer(6)]);

    let query = || store.docs().query::<Customer>();
    assert_eq!(query().filter(|c| c.status.eq(Status::OnHold)).count().await?, 10);
    assert!(query().filter(|c| c.tags.contains("vip")).exists().await?);
    assert_eq!(query().filter(|c| c.handle.eq("c3")).fetch_optional().await?, Some(customer(3)));
    assert_eq!(query().filter(|c| c.handle.eq("c3")).fetch_one().await?, customer(3));
    let nobody = query().filter(|c| c.handle.eq("nobody")).fetch_one().await;
    assert!(matches!(nobody, Err(Error::NotFound { query: "customers" })), "{nobody:?}");
    let page = query().order_by(|c| c.created_at.asc()).offset(5).limit(2).fetch_all().await?;
    assert_eq!(numbers(&page), ["c5", "c6"]);
    let pairs: Vec<(String, Option<f64>)> =
        query().filter(|c| c.handle.eq("c1")).select(|c| (c.handle, c.score)).fetch_all().await?;
    assert_eq!(pairs, [("c1".to_owned(), Some(1.0))]);
    Ok(())
}

#[tokio::test]
async fn queries_follow_their_store_into_its_schema_and_leave_literals_alone() -> TestResult {
    #[compiled_query]
    fn tagged() -> impl Query<i64> {
        Customer::query().filter(|c| c.tags.contains("public.it's")).count()
    }
    served!(tagged());

    let (_db, store) = store_with(|it| it.schema("app").document::<Customer>()).await?;
    let mut one = customer(1);
    one.tags.push("public.it's".to_owned());
    store.docs().put(&one).await?;
    assert_eq!(store.query(tagged()).await?, 1);
    assert_eq!(numbers(&store.query(newest(Status::Active, 2)).await?), [] as [&str; 0]);
    Ok(())
}

#[tokio::test]
async fn rows_are_handed_on_as_one_json_array_that_nobody_parsed() -> TestResult {
    let (_db, store) = filled().await?;
    let json = store.query_json(newest(Status::Active, 2)).await?;
    assert_eq!(json.parse::<Vec<Customer>>()?, [customer(18), customer(12)]);
    assert_eq!(store.query_json(bought("nothing")).await?.as_str(), "[]");
    assert_eq!(store.query_json(bought("s3")).await?.parse::<Vec<CustomerId>>()?.len(), 4);
    Ok(())
}

#[tokio::test]
async fn every_ending_is_handed_on_as_json_that_reads_back_as_its_result() -> TestResult {
    async fn same<Out>(store: &Store, query: impl Fn() -> Box<dyn Query<Out>>) -> TestResult
    where
        Out: AsJson + Serialize + DeserializeOwned,
    {
        let (json, result) = (store.query_json(query()).await?, store.query(query()).await?);
        assert_eq!(serde_json::to_string(&json.parse::<Out>()?)?, serde_json::to_string(&result)?, "{json}");
        Ok(())
    }

    let (_db, store) = filled().await?;
    let active = || Customer::query().filter(|c| c.status.eq(Status::Active)).order_by(|c| c.created_at.desc());
    same(&store, || Box::new(active())).await?;
    same(&store, || Box::new(active().first())).await?;
    same(&store, || Box::new(active().select(|c| (c.handle, c.score)).page(None::<Cursor>, 2))).await?;
    let next = store.query(active().page(None::<Cursor>, 2)).await?.next;
    assert!(next.is_some());
    same(&store, || Box::new(active().page(next.clone(), 100))).await?;
    same(&store, || Box::new(active().numbered_page(1, 2))).await?;
    same(&store, || Box::new(active().numbered_page(9, 2))).await?;
    same(&store, || Box::new(active().count())).await?;
    same(&store, || Box::new(active().exists())).await?;
    same(&store, || Box::new(active().max(|c| c.score))).await?;
    same(&store, || Box::new(Customer::query().filter(|c| c.handle.eq("nobody")).one())).await?;
    let two = store.query_json(active().one()).await;
    assert!(matches!(two, Err(Error::NotUnique { .. })), "{two:?}");
    Ok(())
}
