use rillflow::{Document, DocumentFields, DocumentValue, Error, PayloadProblem, Store};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::orders::{Address, Customer, Line, Status, customer};
use crate::support::{Db, TestResult, statements_sent, store_with, until_somebody_waits};

/// Everything a patch can change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(soft_delete)]
#[serde(rename_all = "camelCase")]
struct Thing {
    #[document(id)]
    id: i64,
    small: u8,
    big: i64,
    ratio: Option<f64>,
    nick_name: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    place: Option<Place>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentFields)]
#[serde(rename_all = "camelCase")]
struct Place {
    street_name: Option<String>,
    #[serde(default)]
    visits: i32,
}

async fn filled() -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store_with(|it| it.document::<Customer>().document::<Thing>()).await?;
    store.docs().put(&thing(1)).await?;
    Ok((db, store))
}

fn thing(id: i64) -> Thing {
    Thing { id, small: 250, big: 1, ratio: None, nick_name: None, tags: vec!["a".into()], place: None }
}

async fn json_of(store: &Store, id: i64) -> sqlx::Result<Value> {
    sqlx::query_scalar("SELECT doc FROM docs_things WHERE id = $1").bind(id).fetch_one(store.pool()).await
}

crate::layouts::declared!(Thing, Account);

#[tokio::test]
async fn a_patch_changes_what_it_names_in_one_statement_and_nothing_beside_it() -> TestResult {
    let (_db, store) = filled().await?;
    let one = customer(1);
    store.docs().put(&one).await?;
    sqlx::raw_sql("UPDATE docs_customers SET doc = jsonb_set(doc, '{address,planet}', '\"Earth\"')")
        .execute(store.pool())
        .await?;

    statements_sent();
    let version = store
        .docs()
        .patch::<Customer>(&one.id, |c, p| {
            p.set(c.address.city, "Oslo")
                .increment(c.score, 1.5)
                .append(c.tags, "vip")
                .set(c.status, Status::Active)
                .append(c.lines, Line { sku: "new".into(), quantity: 2 })
        })
        .await?;

    assert_eq!((version, statements_sent()), (2, 1));
    let mut expected = one.clone();
    expected.address.city = "Oslo".into();
    expected.score = Some(2.5);
    expected.tags.push("vip".into());
    expected.status = Status::Active;
    expected.lines.push(Line { sku: "new".into(), quantity: 2 });
    assert_eq!(store.docs().get(&one.id).await?, Some((expected, 2)));
    let planet: String =
        sqlx::query_scalar("SELECT doc#>>'{address,planet}' FROM docs_customers").fetch_one(store.pool()).await?;
    assert_eq!(planet, "Earth", "what this program does not know of stays");
    Ok(())
}

#[tokio::test]
async fn every_kind_of_change_does_what_it_says() -> TestResult {
    let (_db, store) = filled().await?;
    let docs = store.docs();
    docs.patch::<Thing>(&1, |t, p| {
        p.set(t.nick_name, "x")
            .append(t.tags, "c")
            .insert(t.tags, 1, "b")
            .insert(t.tags, 99, "d".to_owned())
            .append_if_missing(t.tags, "a")
            .append_if_missing(t.tags, &"e".to_owned())
            .increment(t.small, 5)
            .increment(t.big, -3)
            .increment(t.ratio, 0.1)
            .increment(t.ratio, 0.2)
    })
    .await?;
    let (changed, _) = docs.get::<Thing>(&1).await?.expect("it is there");
    assert_eq!(changed.tags, ["a", "b", "c", "d", "e"]);
    assert_eq!((changed.small, changed.big, changed.ratio), (255, -2, Some(0.1 + 0.2)));
    assert_eq!(changed.nick_name.as_deref(), Some("x"));

    docs.patch::<Thing>(&1, |t, p| p.remove(t.tags, "b").remove(t.tags, "nothing").unset(t.nick_name)).await?;
    assert_eq!(docs.get::<Thing>(&1).await?.expect("it is there").0.tags, ["a", "c", "d", "e"]);
    assert_eq!(json_of(&store, 1).await?.get("nickName"), None, "the key itself is gone");

    sqlx::raw_sql("UPDATE docs_things SET doc = doc || '{\"nick\": \"old\"}'").execute(store.pool()).await?;
    docs.patch::<Thing>(&1, |t, p| p.rename("nick", t.nick_name).rename("never there", t.ratio)).await?;
    let json = json_of(&store, 1).await?;
    assert_eq!((&json["nickName"], json.get("nick")), (&json!("old"), None));
    assert!(json["ratio"].is_number());
    Ok(())
}

#[tokio::test]
async fn missing_objects_and_lists_on_the_way_come_into_being() -> TestResult {
    let (_db, store) = filled().await?;
    let docs = store.docs();
    docs.patch::<Thing>(&1, |t, p| p.set(t.place.street_name, "Main").increment(t.place.visits, 1)).await?;
    let place = Place { street_name: Some("Main".into()), visits: 1 };
    assert_eq!(docs.get::<Thing>(&1).await?.map(|it| it.0.place), Some(Some(place)), "it was a JSON null");

    sqlx::raw_sql("UPDATE docs_things SET doc = doc - 'place' - 'tags'").execute(store.pool()).await?;
    docs.patch::<Thing>(&1, |t, p| p.increment(t.place.visits, 2).append(t.tags, "new").remove(t.tags, "x")).await?;
    let json = json_of(&store, 1).await?;
    assert_eq!((&json["place"], &json["tags"]), (&json!({"visits": 2}), &json!(["new"])));

    docs.patch::<Thing>(&1, |t, p| p.set(t.place, Place { street_name: None, visits: 7 })).await?;
    assert_eq!(json_of(&store, 1).await?["place"], json!({"streetName": null, "visits": 7}));
    docs.patch::<Thing>(&1, |t, p| p.set(t.place, None::<Place>)).await?;
    assert_eq!(json_of(&store, 1).await?["place"], Value::Null);
    Ok(())
}

#[tokio::test]
async fn a_patch_that_does_not_fit_is_refused_and_changes_nothing() -> TestResult {
    let (_db, store) = filled().await?;
    let docs = store.docs();
    let beyond = docs.patch::<Thing>(&1, |t, p| p.append(t.tags, "b").increment(t.small, 6)).await;
    assert!(
        matches!(&beyond, Err(Error::Patch { problem, .. }) if problem.contains("small would become 256")),
        "{beyond:?}"
    );
    let below = docs.patch::<Thing>(&1, |t, p| p.increment(t.big, i64::MIN)).await;
    assert!(matches!(&below, Ok(2)), "1 + MIN is within: {below:?}");
    let below = docs.patch::<Thing>(&1, |t, p| p.increment(t.big, -2)).await;
    assert!(matches!(&below, Err(Error::Patch { .. })), "{below:?}");
    let beyond = docs.patch::<Thing>(&1, |t, p| p.set(t.ratio, f64::MAX).increment(t.ratio, f64::MAX)).await;
    assert!(matches!(&beyond, Err(Error::Patch { .. })), "{beyond:?}");
    let without_id = docs.patch::<Thing>(&1, |t, p| p.rename("id", t.nick_name)).await;
    assert!(matches!(&without_id, Err(Error::Patch { .. })), "a document keeps its id: {without_id:?}");

    sqlx::raw_sql("UPDATE docs_things SET doc = doc || '{\"tags\": 5, \"ratio\": \"much\", \"place\": [1]}'")
        .execute(store.pool())
        .await?;
    let before = json_of(&store, 1).await?;
    for (refused, words) in [
        (docs.patch::<Thing>(&1, |t, p| p.append(t.tags, "b")).await, "tags holds a JSON number"),
        (docs.patch::<Thing>(&1, |t, p| p.increment(t.ratio, 1.0)).await, "ratio holds a JSON string"),
        (docs.patch::<Thing>(&1, |t, p| p.set(t.place.visits, 1)).await, "place.visits lies inside a JSON array"),
    ] {
        assert!(matches!(&refused, Err(Error::Patch { problem, .. }) if problem.contains(words)), "{refused:?}");
    }
    let refused = docs.patch::<Thing>(&1, |t, p| p.set(t.big, 1).set(t.nick_name, "a\0b")).await;
    assert!(matches!(&refused, Err(Error::Payload { problem: PayloadProblem::Nul, .. })), "{refused:?}");
    let refused = docs.patch::<Thing>(&1, |t, p| p.set(t.ratio, f64::NAN).set(t.big, 1)).await;
    assert!(matches!(&refused, Err(Error::Payload { problem: PayloadProblem::NotFinite, .. })), "{refused:?}");
    assert_eq!(json_of(&store, 1).await?, before);
    Ok(())
}

#[tokio::test]
async fn an_element_inserted_beyond_the_end_of_a_list_is_its_last() -> TestResult {
    let (_db, store) = filled().await?;
    store.docs().patch::<Thing>(&1, |t, p| p.insert(t.tags, 7, "b").insert(t.tags, u32::MAX, "c")).await?;
    let (found, _) = store.docs().get::<Thing>(&1).await?.ok_or("it is there")?;
    assert_eq!(found.tags, ["a", "b", "c"]);
    Ok(())
}

#[tokio::test]
async fn a_patch_may_expect_a_version_and_says_why_it_did_not_happen() -> TestResult {
    let (_db, store) = filled().await?;
    let docs = store.docs();
    assert_eq!(docs.patch_expected::<Thing>(&1, 1, |t, p| p.set(t.big, 5)).await?, 2);
    let stale = docs.patch_expected::<Thing>(&1, 1, |t, p| p.set(t.big, 6)).await;
    assert!(matches!(stale, Err(Error::DocVersionConflict { expected: 1, actual: 2, .. })), "{stale:?}");
    let missing = docs.patch::<Thing>(&2, |t, p| p.set(t.big, 6)).await;
    assert!(matches!(missing, Err(Error::DocNotFound { .. })), "{missing:?}");
    docs.delete::<Thing>(&1).await?;
    let deleted = docs.patch::<Thing>(&1, |t, p| p.set(t.big, 6)).await;
    assert!(matches!(deleted, Err(Error::DocDeleted { .. })), "{deleted:?}");
    Ok(())
}

#[tokio::test]
async fn patches_at_the_same_time_all_count() -> TestResult {
    let (_db, store) = filled().await?;
    let mut tx = store.pool().begin().await?;
    sqlx::raw_sql("UPDATE docs_things SET doc = jsonb_set(doc, '{big}', '100')").execute(&mut *tx).await?;
    let patching = tokio::spawn({
        let store = store.clone();
        async move { store.docs().patch::<Thing>(&1, |t, p| p.increment(t.big, 1)).await }
    });
    until_somebody_waits(store.pool()).await?;
    tx.commit().await?;
    patching.await??;
    assert_eq!(json_of(&store, 1).await?["big"], 101, "it changed what the other one left");
    Ok(())
}

#[tokio::test]
async fn patches_and_deletions_reach_every_document_that_a_condition_finds() -> TestResult {
    let (_db, store) = filled().await?;
    let docs = store.docs();
    for n in 0..20 {
        docs.put(&customer(n)).await?;
        docs.put(&thing(n)).await?;
    }
    statements_sent();
    let city = "Oslo".to_owned();
    let patched = docs
        .patch_where::<Customer, _>(
            |c| c.address.city.eq(&city) & c.status.eq(Status::Active),
            |c, p| p.set(c.address, Address { city: "public.Kristiania".into(), zip: None }).append(c.tags, "moved"),
        )
        .await?;
    assert_eq!((patched, statements_sent()), (10, 1));
    assert_eq!(docs.query::<Customer>().filter(|c| c.tags.contains("moved")).count().await?, 10);

    let deleted = docs.delete_where::<Customer, _>(|c| c.address.city.eq("public.Kristiania") & c.score.gt(4)).await?;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM docs_customers").fetch_one(store.pool()).await?;
    assert_eq!((deleted, rows), (4, 16), "customers are gone for good");

    assert_eq!(docs.delete_where::<Thing, _>(|t| t.id.lt(5)).await?, 5);
    assert_eq!(docs.delete_where::<Thing, _>(|t| t.id.lt(6)).await?, 1, "the others are deleted already");
    assert_eq!(docs.patch_where::<Thing, _>(|t| t.id.lt(8), |t, p| p.set(t.big, 9)).await?, 2);
    assert_eq!(docs.count::<Thing>().await?, 14);
    assert_eq!(docs.restore::<Thing>(&0).await?, 3);
    Ok(())
}

#[tokio::test]
async fn filtered_writes_follow_their_store_into_its_schema() -> TestResult {
    let (_db, store) = store_with(|it| it.schema("app").document::<Thing>()).await?;
    store.docs().put(&thing(1)).await?;
    let patched = store.docs().patch_where::<Thing, _>(|t| t.tags.contains("a"), |t, p| p.set(t.big, 9)).await?;
    assert_eq!(patched, 1);
    assert_eq!(store.docs().get::<Thing>(&1).await?, Some((Thing { big: 9, ..thing(1) }, 2)));
    assert_eq!(store.docs().delete_where::<Thing, _>(|t| t.big.eq(9)).await?, 1);
    Ok(())
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
struct Price(Decimal);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
struct Account {
    #[document(id)]
    id: i64,
    balance: Decimal,
    limits: Limits,
    moves: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentFields)]
struct Limits {
    credit: Option<Price>,
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

#[tokio::test]
async fn a_decimal_is_incremented_exactly_and_stays_text() -> TestResult {
    let (_db, store) = store_with(|it| it.schema("app").document::<Account>()).await?;
    let docs = store.docs();
    let account = Account { id: 1, balance: decimal("0.1"), limits: Limits { credit: None }, moves: 0 };
    docs.put(&account).await?;
    statements_sent();
    let version = docs
        .patch::<Account>(&1, |a, p| {
            p.increment(a.balance, decimal("0.20"))
                .increment(a.moves, 1)
                .increment(a.limits.credit, decimal("79228162514264337593543950335"))
                .increment(a.balance, decimal("1234567890123456789.012345678"))
                .increment(a.limits.credit, decimal("-0.5"))
        })
        .await?;
    assert_eq!((version, statements_sent()), (2, 1));
    let stored: Value = sqlx::query_scalar("SELECT doc FROM app.docs_accounts").fetch_one(store.pool()).await?;
    assert_eq!(stored["balance"], "1234567890123456789.312345678");
    assert_eq!(stored["limits"]["credit"], "79228162514264337593543950334.5");
    assert_eq!(stored["moves"], 1);

    // in order: what was set before is what is added to
    docs.patch::<Account>(&1, |a, p| {
        p.set(a.balance, decimal("10.00")).increment(a.balance, decimal("-0.01")).set(a.limits.credit, None)
    })
    .await?;
    let (read, _) = docs.get::<Account>(&1).await?.ok_or("no account")?;
    assert_eq!(read.balance.to_string(), "9.99");
    docs.put(&Account { id: 2, ..account.clone() }).await?;
    let changed =
        docs.patch_where::<Account, _>(|a| a.moves.ge(0), |a, p| p.increment(a.balance, decimal("0.7"))).await?;
    assert_eq!(changed, 2);
    assert_eq!(docs.get::<Account>(&2).await?.ok_or("no account")?.0.balance, decimal("0.8"));
    Ok(())
}

#[tokio::test]
async fn a_decimal_that_its_type_cannot_hold_or_that_is_none_is_refused_and_nothing_changes() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Account>()).await?;
    let docs = store.docs();
    let account = Account { id: 1, balance: Decimal::MAX, limits: Limits { credit: None }, moves: 0 };
    docs.put(&account).await?;
    let beyond = docs.patch::<Account>(&1, |a, p| p.increment(a.moves, 1).increment(a.balance, Decimal::ONE)).await;
    assert!(matches!(beyond, Err(Error::Patch { .. })), "{beyond:?}");
    assert_eq!(docs.get::<Account>(&1).await?, Some((account, 1)));
    sqlx::raw_sql("UPDATE docs_accounts SET doc = doc || '{\"balance\": \"much\"}'").execute(store.pool()).await?;
    let no_number = docs.patch::<Account>(&1, |a, p| p.increment(a.balance, Decimal::ONE)).await;
    assert!(matches!(no_number, Err(Error::Patch { .. })), "{no_number:?}");
    Ok(())
}
