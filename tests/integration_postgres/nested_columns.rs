use rillflow::query::Predicate;
use rillflow::{Document, DocumentFields, DocumentValue, Error, Query, SchemaConfig, Store, compiled_query};
use serde::{Deserialize, Serialize};

use crate::served::{many, served};
use crate::support::{Db, TestResult, store_with};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "club_countries")]
struct Country {
    #[document(id)]
    code: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentFields)]
#[serde(rename_all = "camelCase")]
struct Home {
    city_name: String,
    country: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Payment {
    Card { number: i64 },
    Transfer { number: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentFields)]
struct Contact {
    mail: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(
    collection = "club_members",
    column(home.city_name, work.city_name, payment.card.number, contact.mail),
    references(home.country = Country, work.country = Country),
    index(work.city_name, name desc),
    unique(contact.mail)
)]
#[serde(rename_all = "camelCase")]
struct Member {
    #[document(id)]
    id: i64,
    name: String,
    home: Home,
    work: Option<Home>,
    payment: Option<Payment>,
    visits: Vec<Home>,
    #[serde(flatten)]
    contact: Contact,
}

fn home(city: &str) -> Home {
    Home { city_name: city.to_owned(), country: Some("no".to_owned()) }
}

fn member(id: i64) -> Member {
    Member {
        id,
        name: format!("m{id}"),
        home: home(&format!("c{id}")),
        work: (id % 2 == 0).then(|| home("Oslo")),
        payment: match id % 3 {
            0 => None,
            1 => Some(Payment::Card { number: id }),
            _ => Some(Payment::Transfer { number: format!("iban {id}") }),
        },
        visits: vec![home("Bergen")],
        contact: Contact { mail: format!("m{id}@example.com") },
    }
}

#[compiled_query]
fn living_in(city: &str) -> impl Query<Vec<i64>> {
    Member::query().filter(|m| m.home.city_name == city).order_by(|m| m.id.asc()).select(|m| m.id)
}

#[compiled_query]
fn working_in(city: &str, limit: i64) -> impl Query<Vec<(i64, Option<String>)>> {
    Member::query()
        .filter(|m| m.work.city_name == city)
        .order_by(|m| m.name.desc())
        .limit(limit)
        .select(|m| (m.id, m.work.city_name))
}

#[compiled_query]
fn paying_with(number: i64) -> impl Query<Option<i64>> {
    Member::query().filter(|m| m.payment.card.number == number).select(|m| m.id).one()
}

#[compiled_query]
fn by_mail(mail: &str) -> impl Query<Option<(Member, Option<Country>)>> {
    Member::query().filter(|m| m.contact.mail == mail).include::<Country>(|m| m.home.country).one()
}

#[compiled_query]
fn with_members(code: &str) -> impl Query<Vec<(Country, Vec<Member>)>> {
    Country::query().filter(|c| c.code == code).include_many::<Member>(|m| m.work.country)
}

#[compiled_query(allow(scan))]
fn visited(city: &str) -> impl Query<i64> {
    Member::query().filter(|m| m.visits.any(|v| v.city_name == city)).count()
}

#[compiled_query(allow(scan))]
fn without_work_but_paying() -> impl Query<Vec<i64>> {
    Member::query().filter(|m| m.work.is_null() && m.payment.is_some()).order_by(|m| m.id.asc()).select(|m| m.id)
}

many!(Country, 5_000, |n| Country { code: if n == 0 { "no".to_owned() } else { format!("x{n}") } });
// in whatever order the collections are filled
many!(Member, 20_000, |n| {
    let nowhere = |home: Home| Home { country: None, ..home };
    let member = member(n);
    Member { home: nowhere(member.home), work: member.work.map(nowhere), ..member }
});
served!(living_in("c7"), working_in("Bergen", 3), paying_with(7), by_mail("m7@example.com"), with_members("se"),);

async fn club() -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store_with(|it| it.schema("app").document::<Member>().document::<Country>()).await?;
    store.docs().put(&Country { code: "no".to_owned() }).await?;
    Ok((db, store))
}

#[tokio::test]
async fn a_nested_field_with_a_column_is_queried_there_and_follows_the_document() -> TestResult {
    let (_db, store) = club().await?;
    store.docs().bulk_insert((1..=6).map(member)).run().await?;
    assert!(living_in("").sql().contains("WHERE doc_home_city_name = $1::text"), "{}", living_in("").sql());
    assert!(paying_with(0).sql().contains("WHERE doc_payment_card_number = $1::bigint"), "{}", paying_with(0).sql());
    assert!(by_mail("").sql().contains("doc_contact_mail = $1::text"), "{}", by_mail("").sql());
    assert!(!visited("").sql().contains("doc_"), "an element of a list has no column: {}", visited("").sql());

    assert_eq!(store.query(living_in("c3")).await?, [3]);
    let work = Some("Oslo".to_owned());
    assert_eq!(store.query(working_in("Oslo", 2)).await?, [(6, work.clone()), (4, work)]);
    assert_eq!(store.query(paying_with(4)).await?, Some(4));
    assert_eq!(store.query(paying_with(5)).await?, None, "that one pays by transfer");
    let (found, country) = store.query(by_mail("m3@example.com")).await?.ok_or("it is there")?;
    assert_eq!((found, country.map(|it| it.code)), (member(3), Some("no".to_owned())));
    assert_eq!(store.query(with_members("no")).await?[0].1.len(), 3);
    assert_eq!(store.query(visited("Bergen")).await?, 6);

    store.docs().patch::<Member>(&3, |m, p| p.set(m.home.city_name, "Moss")).await?;
    assert_eq!(store.query(living_in("Moss")).await?, [3]);
    let in_place = store.docs().query::<Member>().filter(|m| m.home.city_name.eq("Moss")).fetch_all().await?;
    assert_eq!(in_place.len(), 1);
    let dynamic = store.docs().dynamic::<Member>().filter(Predicate::eq("home.cityName", "Moss"));
    assert_eq!(dynamic.fetch_all().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_nested_reference_points_to_a_document_that_is_there() -> TestResult {
    let (_db, store) = club().await?;
    let abroad = |id| Home { country: Some("se".to_owned()), ..home(&format!("c{id}")) };
    let refused = store.docs().put(&Member { home: abroad(1), ..member(1) }).await;
    assert!(
        matches!(&refused, Err(Error::ForeignKeyViolation { collection: "club_members", constraint }) if constraint == "docs_club_members_home_country_fkey"),
        "{refused:?}"
    );
    let refused = store.docs().put(&Member { work: Some(abroad(1)), ..member(1) }).await;
    assert!(
        matches!(&refused, Err(Error::ForeignKeyViolation { constraint, .. }) if constraint == "docs_club_members_work_country_fkey"),
        "{refused:?}"
    );
    store.docs().put(&Member { work: None, ..member(1) }).await?;
    let pointed_at = store.docs().delete::<Country>(&"no".to_owned()).await;
    assert!(matches!(pointed_at, Err(Error::ForeignKeyViolation { .. })), "{pointed_at:?}");
    Ok(())
}

#[tokio::test]
async fn nested_columns_are_planned_made_and_then_left_alone() -> TestResult {
    let (db, store) = club().await?;
    sqlx::raw_sql("TRUNCATE app.rillflow_syncs").execute(store.pool()).await?;
    let plan = store.schema().plan(&SchemaConfig::single_tenant()).await?;
    assert!(plan.is_empty(), "{plan}");
    sqlx::raw_sql("ALTER TABLE app.docs_club_members DROP COLUMN doc_home_country").execute(store.pool()).await?;
    let again = Store::builder(db.url()).schema("app").document::<Member>().document::<Country>().build().await?;
    let plan = again.schema().plan(&SchemaConfig::single_tenant()).await?;
    let steps: Vec<_> = plan.steps.iter().map(|step| step.description.as_str()).collect();
    assert_eq!(
        steps,
        [
            "column docs_club_members.doc_home_country: add, which rewrites the table",
            "index docs_club_members_home_country_idx: create",
            "constraint docs_club_members_home_country_fkey: add",
        ]
    );
    again.schema().sync(&SchemaConfig::single_tenant()).await?;
    assert!(again.schema().plan(&SchemaConfig::single_tenant()).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_whole_struct_or_enum_is_there_or_not() -> TestResult {
    let (_db, store) = club().await?;
    store.docs().bulk_insert((1..=6).map(member)).run().await?;
    assert_eq!(store.query(without_work_but_paying()).await?, [1, 5]);
    let in_place = store.docs().query::<Member>().filter(|m| m.work.is_some() & m.payment.is_null());
    assert_eq!(in_place.fetch_all().await?.iter().map(|it| it.id).collect::<Vec<_>>(), [6]);
    Ok(())
}
