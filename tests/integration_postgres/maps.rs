use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeZone, Utc};
use rillflow::{Cursor, Document, DocumentFields, Page, Query, Store, compiled_query};
use serde::{Deserialize, Serialize};

use crate::served::{many, served};
use crate::support::{Db, TestResult, store_with};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentFields)]
struct Place {
    city: String,
    floor: Option<i32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(gin)]
struct Thing {
    #[document(id)]
    id: i64,
    labels: HashMap<String, String>,
    counts: Option<BTreeMap<String, i64>>,
    seen: HashMap<String, DateTime<Utc>>,
    places: BTreeMap<String, Place>,
    flags: HashMap<String, bool>,
    variants: Vec<HashMap<String, String>>,
}

fn time(n: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_700_000_000 + n, 0).single().expect("a valid time")
}

fn thing(n: i64) -> Thing {
    let text = |text: &str| text.to_owned();
    let floor = if n % 4 == 0 { None } else { Some(n as i32 % 5) };
    let place = Place { city: text(["Oslo", "Bergen"][(n % 2) as usize]), floor };
    Thing {
        id: n,
        labels: if n % 5 == 0 {
            HashMap::new()
        } else {
            HashMap::from([
                (text("color"), text(["red", "it's", "green"][(n % 3) as usize])),
                (text("k'"), format!("v{n}")),
            ])
        },
        counts: if n % 4 == 0 { None } else { Some(BTreeMap::from([(text("n"), n % 7), (format!("n{}", n % 2), n)])) },
        seen: HashMap::from([(text("first"), time(n))]),
        places: BTreeMap::from([(text("home"), place)]),
        flags: HashMap::from([(text("on"), n % 2 == 0)]),
        variants: vec![
            HashMap::from([(text("size"), format!("{}", n % 2)), (text("fit"), text("slim"))]),
            HashMap::from([(text("size"), text("9"))]),
        ],
    }
}

async fn things() -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store_with(|it| it.document::<Thing>()).await?;
    for n in 0..24 {
        store.docs().put(&thing(n)).await?;
    }
    Ok((db, store))
}

/// The numbers of the things that a Rust closure picks.
fn picked(pick: impl Fn(&Thing) -> bool) -> Vec<i64> {
    let found: Vec<i64> = (0..24).map(thing).filter(pick).map(|it| it.id).collect();
    assert!(!found.is_empty() && found.len() < 24, "the test compares too little");
    found
}

fn label<'t>(thing: &'t Thing, key: &str) -> Option<&'t str> {
    thing.labels.get(key).map(String::as_str)
}

fn count(thing: &Thing, key: &str) -> Option<i64> {
    thing.counts.as_ref().and_then(|counts| counts.get(key)).copied()
}

#[compiled_query]
fn labelled(key: &str, value: &str) -> impl Query<Vec<i64>> {
    Thing::query().filter(|t| t.labels.get(key) == value).order_by(|t| t.id.asc()).select(|t| t.id)
}

#[compiled_query]
fn in_city(city: &str) -> impl Query<Vec<i64>> {
    Thing::query()
        .filter(|t| t.places.get("home").city == city && t.labels.get("color") != "red")
        .order_by(|t| t.id.asc())
        .select(|t| t.id)
}

#[compiled_query]
fn slim(size: &str) -> impl Query<Vec<i64>> {
    Thing::query()
        .filter(|t| t.variants.any(|v| v.get("size") == size && v.get("fit") == "slim"))
        .order_by(|t| t.id.asc())
        .select(|t| t.id)
}

#[compiled_query(allow(scan))]
fn with(key: &str, size: &str) -> impl Query<Vec<i64>> {
    Thing::query()
        .filter(|t| t.variants.any(|v| v.get(key) == size && v.get("size") == "9"))
        .order_by(|t| t.id.asc())
        .select(|t| t.id)
}

#[compiled_query(allow(scan))]
fn of_every_kind(before: DateTime<Utc>, least: i64) -> impl Query<Vec<i64>> {
    Thing::query()
        .filter(|t| t.seen.get("first") < before && t.flags.get("on") && !(t.counts.get("n") > least))
        .filter(|t| t.places.get("home").floor.is_null() || t.labels.get("k'").starts_with("v1"))
        .order_by(|t| t.id.asc())
        .select(|t| t.id)
}

#[compiled_query(allow(scan))]
fn some(colors: Vec<String>, number: i64) -> impl Query<Vec<i64>> {
    Thing::query()
        .filter(|t| t.labels.get("color").one_of(colors) && t.counts.get(format!("n{number}")).is_some())
        .order_by(|t| t.id.asc())
        .select(|t| t.id)
}

many!(Thing, 20_000, |n| Thing {
    labels: HashMap::from([("color".to_owned(), format!("c{n}"))]),
    places: BTreeMap::from([("home".to_owned(), Place { city: format!("city {n}"), floor: None })]),
    variants: vec![HashMap::from([("size".to_owned(), format!("{n}")), ("fit".to_owned(), format!("f{n}"))])],
    ..thing(n)
});
served!(labelled("color", "c7"), in_city("city 7"), slim("7"));

#[tokio::test]
async fn values_of_maps_are_conditions_like_fields() -> TestResult {
    let (_db, store) = things().await?;
    for (key, value) in [("color", "it's"), ("k'", "v7")] {
        assert_eq!(store.query(labelled(key, value)).await?, picked(|it| label(it, key) == Some(value)));
    }
    assert_eq!(store.query(labelled("none", "red")).await?, [] as [i64; 0]);
    let not_red = |it: &Thing| label(it, "color") != Some("red");
    assert_eq!(store.query(in_city("Oslo")).await?, picked(|it| it.places["home"].city == "Oslo" && not_red(it)));
    assert_eq!(store.query(slim("1")).await?, picked(|it| it.id % 2 == 1));
    assert_eq!(store.query(slim("9")).await?, [] as [i64; 0]);
    // two keys that turn out to be the same one
    assert_eq!(store.query(with("size", "1")).await?, [] as [i64; 0]);
    assert_eq!(store.query(with("size", "9")).await?.len(), 24);

    let expected = picked(|it| {
        let rare = count(it, "n").is_none_or(|n| n <= 2);
        let high = it.places["home"].floor.is_none() || label(it, "k'").is_some_and(|v| v.starts_with("v1"));
        it.seen["first"] < time(20) && it.flags["on"] && rare && high
    });
    assert_eq!(store.query(of_every_kind(time(20), 2)).await?, expected);
    let expected = picked(|it| matches!(label(it, "color"), Some("red" | "it's")) && count(it, "n1").is_some());
    assert_eq!(store.query(some(vec!["red".into(), "it's".into()], 1)).await?, expected);
    Ok(())
}

#[compiled_query(allow(scan))]
fn sorted(key: &str) -> impl Query<Vec<(i64, Option<i64>, Option<String>)>> {
    Thing::query()
        .order_by(|t| (t.counts.get(key).desc().nulls_last(), t.id.asc()))
        .select(|t| (t.id, t.counts.get(key), t.labels.get("color")))
}

#[compiled_query(allow(scan))]
fn paged(after: Option<Cursor>) -> impl Query<Page<i64>> {
    Thing::query().order_by(|t| t.counts.get("n").asc()).select(|t| t.id).page(after, 7)
}

#[compiled_query(allow(scan))]
fn by_color(key: &str) -> impl Query<Vec<(Option<String>, i64, Option<i64>)>> {
    Thing::query()
        .group_by(|t| t.labels.get(key))
        .having(|t, g| g.sum(t.counts.get("n")) > 0 && t.labels.get(key) != "green")
        .order_by(|t, _| t.labels.get(key).asc().nulls_first())
        .select(|t, g| (t.labels.get(key), g.count(), g.sum(t.counts.get("n"))))
}

#[tokio::test]
async fn values_of_maps_sort_group_and_are_selected() -> TestResult {
    let (_db, store) = things().await?;
    let mut expected: Vec<_> =
        (0..24).map(thing).map(|it| (it.id, count(&it, "n1"), label(&it, "color").map(str::to_owned))).collect();
    expected.sort_by_key(|(id, n, _)| (n.is_none(), n.map(|n| -n), *id));
    assert_eq!(store.query(sorted("n1")).await?, expected);

    let mut expected: Vec<_> = (0..24).map(thing).map(|it| (count(&it, "n"), it.id)).collect();
    expected.sort_by_key(|(n, id)| (n.is_none(), *n, *id));
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.query(paged(after)).await?;
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, expected.into_iter().map(|(_, id)| id).collect::<Vec<_>>());

    let mut groups: BTreeMap<Option<String>, Vec<Thing>> = BTreeMap::new();
    (0..24).map(thing).for_each(|it| groups.entry(label(&it, "color").map(str::to_owned)).or_default().push(it));
    let expected: Vec<_> = groups
        .into_iter()
        .filter(|(color, _)| color.as_deref() != Some("green"))
        .map(|(color, found)| (color, found.len() as i64, Some(found.iter().filter_map(|it| count(it, "n")).sum())))
        .collect();
    assert_eq!(expected.len(), 3);
    assert_eq!(store.query(by_color("color")).await?, expected);
    Ok(())
}

#[tokio::test]
async fn values_of_maps_are_conditions_in_queries_written_in_place() -> TestResult {
    let (_db, store) = things().await?;
    let (color, number) = ("color".to_owned(), 1);
    let found = store
        .docs()
        .query::<Thing>()
        .filter(|t| t.labels.get(color).ne("red") & !t.counts.get(format!("n{number}")).gt(10_i64))
        .filter(|t| t.labels.get("k'").eq("v7") | t.labels.get("k'").is_null() | t.labels.get("k'").like("v1_"))
        .order_by(|t| t.id.asc())
        .limit(100)
        .select(|t| t.id)
        .fetch_all()
        .await?;
    let expected = picked(|it| {
        let key = label(it, "k'");
        let right = key.is_none_or(|v| v == "v7" || v.len() == 3 && v.starts_with("v1"));
        label(it, "color") != Some("red") && count(it, "n1").is_none_or(|n| n <= 10) && right
    });
    assert_eq!(found, expected);
    Ok(())
}

#[tokio::test]
async fn values_of_maps_sort_and_are_selected_in_queries_written_in_place() -> TestResult {
    let (_db, store) = things().await?;
    let key = format!("n{}", 1);
    let sorted = || {
        let all = store.docs().query::<Thing>().filter(|t| t.flags.get("on").eq(true) | t.counts.get("n").gt(1));
        let all = all.order_by(|t| (t.counts.get(&*key).desc().nulls_last(), t.labels.get("color").asc()));
        all.select(|t| (t.id, t.labels.get("color"), t.counts.get(&*key)))
    };
    let row = |it: &Thing| (it.id, label(it, "color").map(str::to_owned), count(it, "n1"));
    let mut expected: Vec<_> = (0..24)
        .map(thing)
        .filter(|it| it.flags["on"] || count(it, "n").is_some_and(|n| n > 1))
        .map(|it| row(&it))
        .collect();
    expected.sort_by_key(|(id, color, n)| (n.is_none(), n.map(|n| -n), color.is_none(), color.clone(), *id));
    assert!(expected.len() > 12 && expected.iter().any(|(_, color, _)| color.is_none()), "it compares too little");

    let mut found = sorted().fetch_all().await?;
    // without a last key, equal rows come as they like
    found.sort_by_key(|(id, color, n)| (n.is_none(), n.map(|n| -n), color.is_none(), color.clone(), *id));
    assert_eq!(found, expected);
    let (mut found, mut after) = (Vec::new(), None::<Cursor>);
    loop {
        let page = sorted().page(after, 5).await?;
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, expected, "the id ends the order of pages");
    let (first, second) = (sorted().numbered_page(1, 10).await?, sorted().numbered_page(2, 10).await?);
    assert_eq!(first.total, expected.len() as i64);
    assert_eq!(first.items.len() + second.items.len(), expected.len());
    assert_eq!(first.items[0], expected[0]);

    let one = Thing::query().filter(|t| t.id.eq(7)).order_by(|t| t.labels.get("color").asc());
    assert_eq!(store.query(one.select(|t| t.labels.get("k'")).one()).await?, Some(Some("v7".to_owned())));
    // a count has no order, and so no keys of it
    let counted = Thing::query().filter(|t| t.labels.get("color").eq("red")).order_by(|t| t.labels.get("k'").asc());
    assert_eq!(store.query(counted.count()).await?, picked(|it| label(it, "color") == Some("red")).len() as i64);
    Ok(())
}

#[tokio::test]
async fn an_equality_with_a_value_of_a_map_is_served_by_the_gin_index() -> TestResult {
    let (_db, store) = things().await?;
    let mut tx = store.pool().begin().await?;
    sqlx::raw_sql("SET LOCAL enable_seqscan = off").execute(&mut *tx).await?;
    for (sql, values) in
        [(labelled("", "").sql(), "('a', 'b')"), (in_city("").sql(), "('a')"), (slim("").sql(), "('a')")]
    {
        let explain =
            format!("PREPARE q AS {}; EXPLAIN (COSTS OFF) EXECUTE q {values}", sql.replace(" ORDER BY id", ""));
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(explain)).fetch_all(&mut *tx).await?;
        let plan: Vec<String> = rows.iter().map(|row| sqlx::Row::try_get(row, 0)).collect::<Result<_, _>>()?;
        assert!(plan.join("\n").contains("docs_things_gin"), "{sql}\n{}", plan.join("\n"));
        sqlx::raw_sql("DEALLOCATE q").execute(&mut *tx).await?;
    }
    Ok(())
}
