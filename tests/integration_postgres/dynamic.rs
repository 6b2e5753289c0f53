use rillflow::query::{CompiledQuery, DocumentQueryContext, Predicate, SortDirection};
use rillflow::{Error, PayloadProblem, Store};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::orders::{Customer, customer};
use crate::support::{Db, TestResult, statements_sent, store, store_with};

fn id(n: usize) -> Uuid {
    Uuid::from_u128(n as u128 + 1)
}

fn eq(path: &str, value: impl Into<Value>) -> Predicate {
    Predicate::eq(path, value)
}

/// Schemaless documents, of which each is of another shape.
async fn mixed() -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store().await?;
    let documents = [
        json!({"n": 9, "email": "a@x", "status": "active", "tags": ["vip", "new"], "address": {"city": "Oslo"}}),
        json!({"n": 10, "email": "b@x", "status": "active", "tags": [], "lines": [{"sku": "s1"}, {"sku": "s2"}]}),
        json!({"n": 10.5, "status": "paused", "address": {"city": null}}),
        json!({"n": "100", "status": null, "tags": "vip"}),
        json!({"n": true, "a b": {"it's": 1}}),
        json!({"n": null, "tags": {"vip": 1}}),
        json!({"n": [9], "address": [{"city": "Oslo"}]}),
        json!("a text"),
        json!([1, 2]),
    ];
    for (n, document) in documents.iter().enumerate() {
        store.docs().schemaless().put(&id(n), document).await?;
    }
    Ok((db, store))
}

async fn found(store: &Store, predicate: Predicate) -> rillflow::Result<Vec<usize>> {
    let all = store.docs().schemaless().query::<Value>().filter(predicate).fetch_all().await?;
    let everything = store.docs().schemaless().get_many::<Value>(&(0..9).map(id).collect::<Vec<_>>()).await?;
    let number = |document: &Value| everything.iter().position(|it| it.0 == *document).unwrap_or(99);
    let mut found: Vec<_> = all.iter().map(number).collect();
    found.sort_unstable();
    Ok(found)
}

#[tokio::test]
async fn predicates_find_what_they_say_among_documents_of_any_shape() -> TestResult {
    let (_db, store) = mixed().await?;
    for (predicate, expected) in [
        (eq("status", "active"), &[0, 1][..]),
        (eq("n", 10), &[1]),
        (eq("n", 10.0), &[1]),
        (eq("n", "100"), &[3]),
        (eq("n", json!([9])), &[6]),
        (eq("tags", json!(["vip"])), &[]),
        (eq("tags", json!(["vip", "new"])), &[0]),
        (eq("address", json!({"city": "Oslo"})), &[0]),
        (eq("address.city", "Oslo"), &[0]),
        (eq("address[0].city", "Oslo"), &[6]),
        (eq("lines[1].sku", "s2"), &[1]),
        (eq("[\"a b\"][\"it's\"]", 1), &[4]),
        (eq("status", Value::Null), &[3, 4, 5, 6, 7, 8]),
        (Predicate::ne("status", "active"), &[2, 3, 4, 5, 6, 7, 8]),
        (Predicate::ne("address.city", Value::Null), &[0]),
        (Predicate::gt("n", 9), &[1, 2]),
        (Predicate::ge("n", 9), &[0, 1, 2]),
        (Predicate::lt("n", 10.5), &[0, 1]),
        (Predicate::le("n", 10), &[0, 1]),
        (Predicate::gt("n", "1"), &[3]),
        (Predicate::contains("tags", "vip"), &[0]),
        (Predicate::contains("tags", json!(["new", "vip"])), &[0]),
        (Predicate::contains("lines", json!([{"sku": "s2"}])), &[1]),
        (Predicate::contains("lines[0]", json!({"sku": "s1"})), &[1]),
        (Predicate::r#in("email", ["a@x", "b@x", "c@x"]), &[0, 1]),
        (Predicate::r#in("n", [json!(9), json!([9])]), &[0, 6]),
        (Predicate::r#in("n", Vec::<i64>::new()), &[]),
        (Predicate::r#in("email", [Value::Null, json!("a@x")]), &[0, 2, 3, 4, 5, 6, 7, 8]),
        (Predicate::exists("status"), &[0, 1, 2, 3]),
        (Predicate::exists("address.city"), &[0, 2]),
        (Predicate::negate(Predicate::gt("n", 0)), &[3, 4, 5, 6, 7, 8]),
        (Predicate::and([eq("status", "active"), Predicate::lt("n", 10)]), &[0]),
        (Predicate::or([eq("n", 9), Predicate::and([eq("n", 10), eq("email", "b@x")])]), &[0, 1]),
        (Predicate::and([]), &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (Predicate::or([]), &[]),
    ] {
        assert_eq!(found(&store, predicate.clone()).await?, expected, "{predicate:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_query_is_ordered_paged_and_cut_to_fields() -> TestResult {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Row {
        n: f64,
        city: Option<String>,
    }
    let (_db, store) = mixed().await?;
    let docs = store.docs().schemaless();
    let numbers = || docs.query::<Value>().filter(Predicate::gt("n", 0));
    let rows =
        numbers().order_by("n", SortDirection::Desc).select_fields::<Row>(&[("n", "n"), ("city", "address.city")]);
    statements_sent();
    let rows = rows.fetch_all().await?;
    assert_eq!(statements_sent(), 1);
    let row = |n: f64, city: Option<&str>| Row { n, city: city.map(str::to_owned) };
    assert_eq!(rows, [row(10.5, None), row(10.0, None), row(9.0, Some("Oslo"))]);

    let page = |n| numbers().order_by("n", SortDirection::Asc).page(n, 2).select_field::<f64>("n");
    assert_eq!((page(1).fetch_all().await?, page(2).fetch_all().await?), (vec![9.0, 10.0], vec![10.5]));
    assert_eq!(page(1).fetch_first().await?, Some(9.0));
    assert_eq!(
        (numbers().limit(1).count().await?, numbers().filter_if(false, Predicate::or([])).count().await?),
        (3, 3)
    );
    assert!(matches!(page(1).fetch_optional().await, Err(Error::NotUnique { .. })));
    assert!(matches!(page(1).fetch_one().await, Err(Error::NotUnique { .. })));
    assert_eq!(page(2).fetch_one().await?, 10.5);
    assert!(matches!(page(3).fetch_one().await, Err(Error::NotFound { .. })));
    assert_eq!(docs.query::<Value>().select_field::<Option<i64>>("nowhere").fetch_first().await?, Some(None));

    docs.delete(&id(0)).await?;
    assert_eq!(numbers().count().await?, 2);
    assert_eq!(numbers().include_deleted().count().await?, 3);
    assert_eq!(numbers().only_deleted().select_field::<i64>("n").fetch_all().await?, [9]);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_before_anything_is_sent() -> TestResult {
    let (_db, store) = mixed().await?;
    let query = || store.docs().schemaless().query::<Value>();
    statements_sent();
    for wrong in [
        query().filter(Predicate::eq("a..b", 1)),
        query().filter(Predicate::gt("n", true)),
        query().filter(Predicate::gt("n", json!([1]))),
        query().order_by("", SortDirection::Asc),
        query().page(0, 10),
        query().limit(-1),
        query().select_fields(&[("x", "a[")]),
        query().filter((0..100).fold(Predicate::eq("a", 1), |inner, _| Predicate::negate(inner))),
    ] {
        let refused = wrong.fetch_all().await;
        assert!(matches!(refused, Err(Error::InvalidQuery { .. })), "{refused:?}");
    }
    let refused = query().filter(Predicate::eq("n", "a\0b")).fetch_all().await;
    assert!(matches!(&refused, Err(Error::Payload { problem: PayloadProblem::Nul, .. })), "{refused:?}");
    assert!(matches!(store.docs().collection("x; drop"), Err(Error::InvalidQuery { .. })));
    assert_eq!(statements_sent(), 0);
    let nobody = store.docs().collection("nobody")?.fetch_all().await;
    assert!(matches!(nobody, Err(Error::Schema { .. })), "{nobody:?}");
    Ok(())
}

struct VipCustomers;

impl CompiledQuery<Value> for VipCustomers {
    fn configure(&self, ctx: &mut DocumentQueryContext) {
        ctx.filter(Predicate::eq("active", true))
            .filter(Predicate::contains("tags", json!(["vip"])))
            .order_by("first_name", SortDirection::Asc)
            .select_fields(&[("email", "email"), ("status", "active")]);
    }
}

struct InCity(&'static str);

impl CompiledQuery<Customer> for InCity {
    fn configure(&self, ctx: &mut DocumentQueryContext) {
        ctx.collection::<Customer>()
            .filter(Predicate::eq("address.city", self.0))
            .order_by("createdAt", SortDirection::Desc);
    }
}

#[tokio::test]
async fn queries_written_as_objects_run_on_schemaless_and_typed_collections() -> TestResult {
    let (_db, store) = store_with(|it| it.schema("app").document::<Customer>()).await?;
    let docs = store.docs();
    for (n, (name, active)) in [("b", true), ("a", true), ("c", false)].iter().enumerate() {
        let vip = json!({"first_name": name, "active": active, "tags": ["vip"], "email": format!("{name}@x")});
        docs.schemaless().insert(&id(n), &vip).await?;
    }
    let vips = docs.execute_compiled(VipCustomers).await?;
    assert_eq!(vips, [json!({"email": "a@x", "status": true}), json!({"email": "b@x", "status": true})]);

    for n in 0..4 {
        docs.put(&customer(n)).await?;
    }
    assert_eq!(docs.execute_compiled(InCity("Oslo")).await?, [customer(2), customer(0)]);
    assert_eq!(docs.compiled(InCity("Oslo")).limit(1).fetch_one().await?, customer(2));
    assert!(docs.compiled(InCity("Oslo")).explain().await?.contains("docs_customers"));
    assert_eq!(docs.collection("customers")?.filter(Predicate::eq("handle", "c1")).count().await?, 1);
    Ok(())
}

#[tokio::test]
async fn dynamic_queries_are_served_by_the_indexes_that_are_there() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    store.docs().bulk_insert((0..5_000).map(customer)).run().await?;
    let fill = "INSERT INTO docs (id, doc) SELECT gen_random_uuid(), jsonb_build_object('n', n, 'tags', jsonb_build_array('t' || n)) \
                FROM generate_series(1, 20000) AS n";
    for statement in [fill, "VACUUM ANALYZE docs", "VACUUM ANALYZE docs_customers"] {
        sqlx::raw_sql(statement).execute(store.pool()).await?;
    }
    let (typed, any) = (|| store.docs().dynamic::<Customer>(), || store.docs().schemaless().query::<Value>());
    let time = "2023-11-14T22:13:25Z"; // customer 5
    for (query, index) in [
        (any().filter(eq("n", 77)).explain().await?, "docs_doc_gin"),
        (any().filter(Predicate::contains("tags", "t9")).explain().await?, "docs_doc_gin"),
        (any().filter(Predicate::r#in("n", [1, 2, 3])).explain().await?, "docs_doc_gin"),
        (any().filter(Predicate::or([eq("n", 1), eq("n", 2)])).explain().await?, "docs_doc_gin"),
        (typed().filter(eq("email", "c7@example.com")).explain().await?, "email"),
        (typed().filter(eq("handle", "c7")).explain().await?, "handle"),
        (typed().filter(Predicate::r#in("handle", ["c7", "c8"])).explain().await?, "handle"),
        (typed().filter(Predicate::gt("email", "c99")).explain().await?, "email"),
        (typed().filter(eq("address.city", "Nowhere")).explain().await?, "city"),
        (typed().filter(Predicate::contains("lines", json!([{"sku": "s9"}]))).explain().await?, "gin"),
        (typed().filter(eq("createdAt", time)).explain().await?, "gin"),
        (
            typed()
                .filter(eq("status", "active"))
                .order_by("createdAt", SortDirection::Desc)
                .limit(3)
                .explain()
                .await?,
            "status_created_at",
        ),
    ] {
        let plan = query;
        assert!(plan.contains("Index") && plan.contains(index) && !plan.contains("Seq Scan"), "{index}:\n{plan}");
    }
    let newest = typed().filter(eq("status", "active")).order_by("createdAt", SortDirection::Desc).limit(2);
    let plan = newest.explain().await?;
    assert!(!plan.contains("Sort"), "the index has the order:\n{plan}");
    let newest = typed().filter(eq("status", "active")).order_by("createdAt", SortDirection::Desc).limit(2);
    assert_eq!(newest.fetch_all().await?, [customer(4998), customer(4996)]);
    Ok(())
}

#[tokio::test]
async fn schemaless_documents_have_versions_and_soft_deletion() -> TestResult {
    #[derive(Debug, PartialEq, serde::Serialize, Deserialize)]
    struct Tiered {
        email: String,
        tier: String,
    }
    let (_db, store) = store().await?;
    let (docs, id) = (store.docs().schemaless(), Uuid::now_v7());
    let v1 = docs.put(&id, &Tiered { email: "a@x".into(), tier: "free".into() }).await?;
    let (customer, version) = docs.get::<Tiered>(&id).await?.expect("it is there");
    assert_eq!((v1, version, customer.tier.as_str()), (1, 1, "free"));
    assert_eq!(docs.update::<Tiered>(&id, version, |c| c.tier = "pro".into()).await?, 2);
    let stale = docs.update::<Tiered>(&id, version, |c| c.tier = "free".into()).await;
    assert!(matches!(stale, Err(Error::DocVersionConflict { collection: "docs", expected: 1, actual: 2, .. })));
    assert!(matches!(docs.insert(&id, &1).await, Err(Error::AlreadyExists { .. })));
    assert!(docs.delete(&id).await? && !docs.exists(&id).await?);
    assert!(matches!(docs.put(&id, &1).await, Err(Error::DocDeleted { .. })));
    assert_eq!(docs.restore(&id).await?, 4);
    assert_eq!((docs.replace(&id, &json!({"any": ["thing"]}), 4).await?, docs.count().await?), (5, 1));
    assert!(docs.hard_delete(&id).await?);
    assert!(matches!(docs.replace(&id, &1, 5).await, Err(Error::DocNotFound { .. })));
    Ok(())
}
