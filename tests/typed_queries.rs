//! The text that typed queries become, the parameters beside it, and the paths in it. No database.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use chrono::{DateTime, Duration, SubsecRound, TimeZone, Utc};
use rillflow::model::SqlValue;
use rillflow::{Cursor, Document, DocumentFields, DocumentValue, Page, Query, compiled_query};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
struct CustomerId(Uuid);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
#[serde(rename_all = "kebab-case")]
enum Status {
    Active,
    OnHold,
    #[serde(rename = "it's over")]
    Closed,
}

#[derive(Clone, Debug, Serialize, Deserialize, DocumentFields)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
struct Address {
    city: String,
    zip_code: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, DocumentFields)]
struct OrderLine {
    sku: String,
    qty: u32,
    price: f64,
    notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, Document)]
#[document(collection = "customers", gin, index(status, created_at desc), index(address.city), unique(handle, vip))]
#[serde(rename_all = "camelCase")]
struct Customer {
    #[document(id)]
    #[serde(rename = "_id")]
    id: CustomerId,
    #[document(index)]
    email: String,
    #[document(unique)]
    handle: String,
    status: Status,
    tags: Vec<String>,
    seen: Option<Vec<DateTime<Utc>>>,
    address: Address,
    former: Option<Address>,
    created_at: DateTime<Utc>,
    score: Option<f64>,
    ratio: f32,
    vip: bool,
    lines: Vec<OrderLine>,
    #[serde(rename = "it's a \"key\"")]
    hostile: i32,
    r#type: String,
    #[serde(default)]
    level: i16,
    #[document(opaque)]
    anything: std::collections::BTreeSet<u64>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "it is selected, and nobody looks at it")]
struct Contact {
    email: String,
    city: String,
}

fn time() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap() + Duration::nanoseconds(123_456_789)
}

/// The part of a query's text that a test is about.
fn condition(query: &str) -> &str {
    let query = query.strip_prefix("SELECT doc FROM public.docs_customers WHERE ").unwrap_or(query);
    query.strip_suffix(" AND deleted_at IS NULL").unwrap_or(query)
}

mod compiled {
    use super::*;

    #[compiled_query]
    pub(super) fn by_email(email: &str) -> impl Query<Option<Customer>> {
        Customer::query().filter(|c| c.email == email).one()
    }

    #[compiled_query]
    pub(super) fn by_id(id: CustomerId) -> impl Query<Option<Customer>> {
        Customer::query().filter(|c| id == c.id).one()
    }

    #[compiled_query]
    pub(super) fn vips(status: Status, limit: i64) -> impl Query<Vec<Customer>> {
        Customer::query()
            .filter(|c| c.status == status && c.tags.contains("vip") && (c.score > 5 || c.score.is_null()))
            .order_by(|c| c.created_at.desc())
            .limit(limit)
    }

    #[compiled_query]
    pub(super) fn bought(sku: &str) -> impl Query<Vec<Customer>> {
        Customer::query().filter(|c| {
            c.lines.any(|l| l.sku == sku) && c.lines.any(|l| l.qty > 3 && (l.price < 9.5 || l.price >= -1.0))
        })
    }

    #[compiled_query]
    pub(super) fn contacts(city: &str) -> impl Query<Vec<Contact>> {
        Customer::query()
            .filter(|c| c.address.city == city && c.status == Status::Closed)
            .select(|c| Contact { email: c.email, city: c.address.city })
    }

    #[compiled_query]
    pub(super) fn emails(ids: Vec<CustomerId>) -> impl Query<Vec<(CustomerId, String, Option<f64>)>> {
        Customer::query().filter(|c| c.id.one_of(ids)).select(|c| (c.id, c.email, c.score))
    }

    #[compiled_query]
    pub(super) fn score(email: &str) -> impl Query<Option<Option<f64>>> {
        Customer::query().filter(|c| c.email == email).select(|c| c.score).one()
    }

    #[compiled_query(allow(scan))]
    pub(super) fn recent(days: i64, email: &str) -> impl Query<i64> {
        Customer::query().filter(|c| c.created_at > time() - Duration::days(days) && c.email != email && c.vip).count()
    }

    #[compiled_query]
    pub(super) fn known(handle: String) -> impl Query<bool> {
        Customer::query().filter(|c| c.handle == handle).exists()
    }

    #[compiled_query(allow(scan))]
    pub(super) fn all_sorts(pattern: &str, at: DateTime<Utc>, ratio: f32) -> impl Query<Vec<Customer>> {
        Customer::query()
            .filter(|c| c.email.starts_with("a'b") || c.email.like(pattern) || c.email.ilike("%x%"))
            .filter(|c| !(c.score >= 1.5) && c.score != 2 && c.hostile <= -7 && c.former.city != "x")
            .filter(|c| c.seen.contains(at) && c.seen.any(|s| s < at) && c.ratio == ratio && c.level != 1)
            .filter(|c| c.lines.any(|l| l.sku == "a" && l.sku == "b") && c.lines.any(|l| l.notes.contains("n")))
            .filter(|c| c.r#type.one_of(["a", "b"]) && c.anything.is_null() && c.seen.is_some())
            .order_by(|c| (c.handle.asc(), c.created_at.desc()))
            .limit(10)
            .offset(5)
    }
}

#[test]
fn one_document_by_an_indexed_field() {
    let query = compiled::by_email("a@x");
    assert_eq!(query.name(), "by_email");
    assert_eq!(
        query.sql(),
        "SELECT doc FROM public.docs_customers WHERE (doc->>'email') = $1::text AND deleted_at IS NULL LIMIT 2"
    );
    assert_eq!(query.binds(), [SqlValue::Text("a@x".into())]);
}

#[test]
fn the_id_is_a_column_whatever_its_key() {
    let query = compiled::by_id(CustomerId(Uuid::nil()));
    assert_eq!(condition(query.sql()), "id = $1::uuid AND deleted_at IS NULL LIMIT 2");
    assert_eq!(query.binds(), [SqlValue::Uuid(Uuid::nil())]);
}

#[test]
fn conditions_order_and_limit() {
    let query = compiled::vips(Status::OnHold, 20);
    assert_eq!(
        query.sql(),
        "SELECT doc FROM public.docs_customers WHERE (doc->>'status') = $1::text \
         AND doc @> jsonb_build_object('tags', jsonb_build_array('vip')) \
         AND (((doc->>'score')::float8) > 5 OR ((doc->>'score')::float8) IS NULL) \
         AND deleted_at IS NULL ORDER BY public.rillflow_ts(doc->>'createdAt') DESC LIMIT $2::bigint"
    );
    assert_eq!(query.binds(), [SqlValue::Text("on-hold".into()), SqlValue::Int(20)]);
}

#[test]
fn equalities_of_an_element_are_containment_and_others_a_search() {
    assert_eq!(
        condition(compiled::bought("x").sql()),
        "doc @> jsonb_build_object('lines', jsonb_build_array(jsonb_build_object('sku', $1::text))) \
         AND EXISTS (SELECT 1 FROM jsonb_array_elements(doc->'lines') e1 WHERE ((e1->>'qty')::bigint) > 3 \
         AND (((e1->>'price')::float8) < 9.5 OR ((e1->>'price')::float8) >= -1.0))"
    );
}

#[test]
fn fields_are_selected_into_structs_tuples_and_values() {
    assert_eq!(
        compiled::contacts("x").sql(),
        "SELECT jsonb_build_object('email', doc->'email', 'city', doc->'address'->'CITY') FROM public.docs_customers \
         WHERE (doc->'address'->>'CITY') = $1::text AND (doc->>'status') = 'it''s over' AND deleted_at IS NULL"
    );
    let ids = vec![CustomerId(Uuid::nil())];
    assert_eq!(
        compiled::emails(ids).sql(),
        "SELECT jsonb_build_array(doc->'_id', doc->'email', doc->'score') FROM public.docs_customers \
         WHERE id = ANY($1::uuid[]) AND deleted_at IS NULL"
    );
    assert_eq!(
        compiled::score("x").sql(),
        "SELECT doc->'score' FROM public.docs_customers WHERE (doc->>'email') = $1::text AND deleted_at IS NULL LIMIT 2"
    );
}

#[test]
fn computed_values_come_after_the_arguments_that_are_parameters_themselves() {
    let query = compiled::recent(3, "a");
    assert_eq!(
        query.sql(),
        "SELECT count(*) FROM public.docs_customers WHERE public.rillflow_ts(doc->>'createdAt') > $2::timestamptz \
         AND (doc->>'email') <> $1::text AND ((doc->>'vip')::boolean) = true AND deleted_at IS NULL"
    );
    let after = (time() - Duration::days(3)).round_subsecs(6);
    assert_eq!(query.binds(), [SqlValue::Text("a".into()), SqlValue::Time(after)]);
}

#[test]
fn a_page_goes_on_where_its_cursor_ended() {
    #[compiled_query]
    fn uniform(status: Status, after: Option<Cursor>, size: i64) -> impl Query<Page<Customer>> {
        Customer::query().filter(|c| c.status == status).order_by(|c| c.created_at.desc()).page(after, size)
    }

    let first = uniform(Status::Active, None, 5);
    let (output, rest) = first.sql().split_once(" FROM ").unwrap();
    assert!(output.starts_with("SELECT doc, jsonb_build_array("), "{output}");
    assert!(output.ends_with(", public.rillflow_ts(doc->>'createdAt'), id), greatest($2::bigint, 1)"), "{output}");
    assert_eq!(
        rest,
        "public.docs_customers WHERE (doc->>'status') = $1::text AND deleted_at IS NULL \
         ORDER BY public.rillflow_ts(doc->>'createdAt') DESC, id DESC LIMIT least(greatest($2::bigint, 1), 9223372036854775806) + 1"
    );
    // the cursor "[1]"
    let next = uniform(Status::Active, Some("WzFd".parse().unwrap()), 5);
    assert!(matches!(next.check(), Err(rillflow::Error::InvalidCursor { .. })));
    assert_eq!(
        next.sql().split_once(" AND deleted_at IS NULL").unwrap().1,
        " AND (public.rillflow_ts(doc->>'createdAt'), id) < (($3::jsonb->>1)::timestamptz, ($3::jsonb->>2)::uuid) \
         ORDER BY public.rillflow_ts(doc->>'createdAt') DESC, id DESC LIMIT least(greatest($2::bigint, 1), 9223372036854775806) + 1"
    );
    assert_eq!(next.binds(), [SqlValue::Text("active".into()), SqlValue::Int(5), SqlValue::Json("[1]".into())]);
}

#[test]
fn existence_is_one_boolean() {
    assert_eq!(
        compiled::known("x".into()).sql(),
        "SELECT EXISTS (SELECT 1 FROM public.docs_customers WHERE (doc->>'handle') = $1::text AND deleted_at IS NULL)"
    );
}

#[test]
fn every_operator_has_its_form() {
    let query = compiled::all_sorts("b%", time(), 0.1);
    let expected = [
        "SELECT doc FROM public.docs_customers WHERE (((doc->>'email') ^@ 'a''b' AND (doc->>'email') ~>=~ 'a''b') OR (doc->>'email') LIKE $1::text OR (doc->>'email') ILIKE '%x%')",
        "(((doc->>'score')::float8) >= 1.5) IS NOT TRUE",
        "((doc->>'score')::float8) IS DISTINCT FROM 2",
        "((doc->>'it''s a \"key\"')::bigint) <= -7",
        "(doc->'former'->>'CITY') IS DISTINCT FROM 'x'",
        "EXISTS (SELECT 1 FROM jsonb_array_elements(NULLIF(doc->'seen', 'null')) e1 WHERE public.rillflow_ts(e1#>>'{}') = $2::timestamptz)",
        "EXISTS (SELECT 1 FROM jsonb_array_elements(NULLIF(doc->'seen', 'null')) e1 WHERE public.rillflow_ts(e1#>>'{}') < $2::timestamptz)",
        "((doc->>'ratio')::float8) = $3::float8",
        "((doc->>'level')::bigint) IS DISTINCT FROM 1",
        "EXISTS (SELECT 1 FROM jsonb_array_elements(doc->'lines') e1 WHERE (e1->>'sku') = 'a' AND (e1->>'sku') = 'b')",
        "EXISTS (SELECT 1 FROM jsonb_array_elements(doc->'lines') e1 WHERE e1 @> jsonb_build_object('notes', jsonb_build_array('n')))",
        "(doc->>'type') = ANY(ARRAY['a', 'b']::text[])",
        "(doc->>'anything') IS NULL",
        "(doc->>'seen') IS NOT NULL",
        "deleted_at IS NULL ORDER BY (doc->>'handle'), public.rillflow_ts(doc->>'createdAt') DESC LIMIT 10 OFFSET 5",
    ];
    let found: Vec<&str> = query.sql().split(" AND ").collect();
    let expected = expected.join(" AND ");
    assert_eq!(found.join(" AND "), expected);
    assert_eq!(
        query.binds(),
        [SqlValue::Text("b%".into()), SqlValue::Time(time().round_subsecs(6)), SqlValue::Float(0.1),]
    );
}

#[test]
fn the_form_written_in_place_gives_the_same_text_with_its_own_parameters() {
    let mail = String::from("x");
    let query = Customer::query()
        .filter(|c| (c.email.eq(&mail) | c.score.gt(5)) & c.lines.any(|l| l.qty.ge(3)) & !c.vip)
        .order_by(|c| c.created_at.desc())
        .limit(3)
        .offset(1);
    assert_eq!(
        query.sql(),
        "SELECT doc FROM public.docs_customers WHERE ((doc->>'email') = $1::text OR ((doc->>'score')::float8) > $2::bigint) \
         AND EXISTS (SELECT 1 FROM jsonb_array_elements(doc->'lines') e1 WHERE ((e1->>'qty')::bigint) >= $3::bigint) \
         AND (((doc->>'vip')::boolean) = true) IS NOT TRUE AND deleted_at IS NULL \
         ORDER BY public.rillflow_ts(doc->>'createdAt') DESC LIMIT $4::bigint OFFSET $5::bigint"
    );
    let ints = [5, 3, 3, 1].map(SqlValue::Int);
    assert_eq!(query.binds(), [&[SqlValue::Text("x".into())], &ints[..]].concat());
    assert_eq!(Customer::query().sql(), "SELECT doc FROM public.docs_customers WHERE deleted_at IS NULL");
    assert_eq!(
        Customer::query().filter(|c| c.id.eq(CustomerId(Uuid::nil()))).one().sql(),
        "SELECT doc FROM public.docs_customers WHERE id = $1::uuid AND deleted_at IS NULL LIMIT 2"
    );
    assert_eq!(Customer::query().count().sql(), "SELECT count(*) FROM public.docs_customers WHERE deleted_at IS NULL");
    assert_eq!(
        Customer::query().select(|c| (c.email, c.vip)).one().sql(),
        "SELECT jsonb_build_array(doc->'email', doc->'vip') FROM public.docs_customers WHERE deleted_at IS NULL LIMIT 2"
    );
}

#[test]
fn a_collection_names_its_table_and_indexes() {
    let collection = Customer::COLLECTION;
    assert_eq!((collection.type_name, collection.name), ("Customer", "customers"));
    assert_eq!(
        collection.create_table,
        "CREATE TABLE IF NOT EXISTS public.docs_customers (id uuid PRIMARY KEY, doc jsonb NOT NULL, \
         version bigint NOT NULL DEFAULT 1, created_at timestamptz NOT NULL DEFAULT now(), \
         updated_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz)"
    );
    let created: Vec<_> = collection.indexes.iter().map(|index| index.create).collect();
    assert_eq!(
        created,
        [
            "CREATE INDEX docs_customers_gin ON public.docs_customers USING gin (doc jsonb_path_ops)",
            "CREATE INDEX docs_customers_status_created_at_idx ON public.docs_customers ((doc->>'status'), public.rillflow_ts(doc->>'createdAt') DESC)",
            "CREATE INDEX docs_customers_address_city_idx ON public.docs_customers ((doc->'address'->>'CITY'))",
            "CREATE UNIQUE INDEX docs_customers_handle_vip_key ON public.docs_customers ((doc->>'handle'), ((doc->>'vip')::boolean))",
            "CREATE INDEX docs_customers_email_idx ON public.docs_customers ((doc->>'email'))",
            "CREATE UNIQUE INDEX docs_customers_handle_key ON public.docs_customers ((doc->>'handle'))",
        ]
    );
}

fn sample() -> Customer {
    let address = Address { city: "Bern".into(), zip_code: Some("3000".into()) };
    Customer {
        id: CustomerId(Uuid::nil()),
        email: "a@x".into(),
        handle: "a".into(),
        status: Status::Closed,
        tags: vec!["t".into()],
        seen: Some(vec![time()]),
        former: Some(address.clone()),
        address,
        created_at: time(),
        score: Some(1.5),
        ratio: 0.1,
        vip: true,
        lines: vec![OrderLine { sku: "s".into(), qty: 2, price: 1.0, notes: vec![] }],
        hostile: 7,
        r#type: "t".into(),
        level: 1,
        anything: [1].into(),
    }
}

/// The value that an expression such as `doc->'address'->'CITY'` finds in `document`.
fn walk(document: &serde_json::Value, selected: &str) -> Option<serde_json::Value> {
    let mut found = document;
    for step in selected.strip_prefix("doc->")?.split("->") {
        let key = step.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'");
        found = found.get(key)?;
    }
    Some(found.clone())
}

#[test]
fn every_path_finds_what_serde_wrote() {
    let document = serde_json::to_value(sample()).unwrap();
    macro_rules! check {
        ($($path:ident $(. $next:ident)*),* $(,)?) => { $({
            let query = Customer::query().select(|c| c.$path $(.$next)*);
            let sql = query.sql();
            let selected = sql["SELECT ".len()..sql.find(" FROM").unwrap()].to_owned();
            let expected = sample();
            let expected = serde_json::to_value(check!(@value expected.$path $(.$next)*)).unwrap();
            assert_eq!(walk(&document, &selected), Some(expected), "{selected}");
        })* };
        (@value $sample:ident.former.$next:ident) => { $sample.former.unwrap().$next };
        (@value $($value:tt)*) => { $($value)* };
    }
    check!(
        id,
        email,
        handle,
        status,
        tags,
        seen,
        created_at,
        score,
        ratio,
        vip,
        hostile,
        r#type,
        level,
        anything,
        lines,
        address.city,
        address.zip_code,
        former.city,
        former.zip_code,
    );
}

#[test]
fn rows_become_results() {
    use rillflow::model::query::Row;
    let json = [&[1], serde_json::to_vec(&sample()).unwrap().as_slice()].concat();
    let cells = [Some(json.as_slice())];
    let row = Row::new(&cells);
    assert_eq!(compiled::by_email("a").decode(&[row]).unwrap().unwrap().email, "a@x");
    assert!(compiled::by_email("a").decode(&[]).unwrap().is_none());
    let error = compiled::by_email("a").decode(&[row, row]).unwrap_err();
    assert!(matches!(error, rillflow::Error::NotUnique { query: "by_email" }));
    let count = 7_i64.to_be_bytes();
    assert_eq!(compiled::recent(1, "a").decode(&[Row::new(&[Some(&count)])]).unwrap(), 7);
    assert!(compiled::known("a".into()).decode(&[Row::new(&[Some(&[1])])]).unwrap());
}

#[test]
fn the_form_written_in_place_is_not_limited_to_short_texts() {
    macro_rules! all_of {
        ($c:ident $first:literal $($next:literal)*) => { $c.hostile.ne($first) $(& $c.hostile.ne($next))* };
    }
    let query = Customer::query().filter(|c| {
        all_of!(c 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37
            38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73
            74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90)
    });
    assert_eq!(query.binds().len(), 90);
    assert!(query.sql().len() > 4096);
    assert!(query.sql().ends_with("<> $90::bigint AND deleted_at IS NULL"));
}
