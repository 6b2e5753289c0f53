use std::collections::{BTreeMap, HashMap};

use rillflow::{Document, DocumentFields, Query, Store, compiled_query};
use serde::{Deserialize, Serialize};

use crate::served::{many, served};
use crate::support::{Db, TestResult, store_with};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentFields)]
struct Part {
    name: String,
    needed: i32,
    in_stock: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(gin, trigram(title), text_pattern(title), text_pattern(code), index(year))]
struct Machine {
    #[document(id)]
    id: i64,
    title: String,
    code: Option<String>,
    year: i32,
    sold_in: Option<i32>,
    scrapped_in: Option<i32>,
    parts: Vec<Part>,
    labels: HashMap<String, String>,
    counts: BTreeMap<String, i64>,
}

fn machine(n: i64) -> Machine {
    let number = n as i32;
    Machine {
        id: n,
        title: ["100% steel_works", "100x steelworks", "Lathe", "lather \\ saw"][(n % 4) as usize].to_owned(),
        code: if n % 3 == 0 { None } else { Some(format!("x{n}")) },
        year: 1990 + number,
        sold_in: if n % 2 == 0 { None } else { Some(1991 + number) },
        scrapped_in: if n % 4 == 0 { None } else { Some(1990 + number + number % 3) },
        parts: (0..number % 3).map(|i| Part { name: format!("p{i}"), needed: number, in_stock: 4 }).collect(),
        labels: HashMap::from([(format!("k{}", n % 2), "it's".to_owned())]),
        counts: BTreeMap::from([("bolts".to_owned(), n)]),
    }
}

many!(Machine, 20_000, machine);
served!(
    containing("unheard-of"),
    ending("unheard-of"),
    starting("unheard-of"),
    code_like(),
    title_ilike("unheard-of"),
    between(2000, 2010),
    labelled("unheard-of", "of"),
    search(21_980, None, None, None),
);

async fn machines() -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store_with(|it| it.document::<Machine>()).await?;
    for n in 0..12 {
        store.docs().put(&machine(n)).await?;
    }
    Ok((db, store))
}

/// The numbers of the machines that a Rust closure picks: what the query of the same words must find.
fn picked(pick: impl Fn(&Machine) -> bool) -> Vec<i64> {
    (0..12).map(machine).filter(pick).map(|it| it.id).collect()
}

#[compiled_query]
fn containing(text: &str) -> impl Query<Vec<i64>> {
    Machine::query().filter(|m| m.title.contains_text(text)).order_by(|m| m.id.asc()).select(|m| m.id)
}

#[compiled_query]
fn ending(text: &str) -> impl Query<Vec<i64>> {
    Machine::query().filter(|m| m.title.ends_with(text)).order_by(|m| m.id.asc()).select(|m| m.id)
}

#[compiled_query]
fn starting(text: &str) -> impl Query<Vec<i64>> {
    Machine::query().filter(|m| m.title.starts_with(text)).order_by(|m| m.id.asc()).select(|m| m.id)
}

#[compiled_query]
fn code_like() -> impl Query<Vec<i64>> {
    Machine::query().filter(|m| m.code.like("x1%")).order_by(|m| m.id.asc()).select(|m| m.id)
}

#[compiled_query]
fn title_ilike(pattern: &str) -> impl Query<Vec<i64>> {
    Machine::query().filter(|m| m.title.ilike(pattern)).order_by(|m| m.id.asc()).select(|m| m.id)
}

#[compiled_query(allow(scan))]
fn by_regex(pattern: &str) -> impl Query<Vec<i64>> {
    Machine::query().filter(|m| m.title.regex(pattern)).order_by(|m| m.id.asc()).select(|m| m.id)
}

#[tokio::test]
async fn text_is_found_by_its_parts_and_percent_signs_mean_themselves() -> TestResult {
    let (_db, store) = machines().await?;
    for text in ["100%", "l_w", "steel", "\\", "the", "", "zzz"] {
        assert_eq!(store.query(containing(text)).await?, picked(|m| m.title.contains(text)), "{text}");
        assert_eq!(store.query(ending(text)).await?, picked(|m| m.title.ends_with(text)), "{text}");
        assert_eq!(store.query(starting(text)).await?, picked(|m| m.title.starts_with(text)), "{text}");
    }
    assert_eq!(store.query(ending("works")).await?, picked(|m| m.title.ends_with("works")));
    assert_eq!(store.query(code_like()).await?, picked(|m| m.code.as_ref().is_some_and(|it| it.starts_with("x1"))));
    assert_eq!(store.query(title_ilike("lathe%")).await?, picked(|m| m.title.to_lowercase().starts_with("lathe")));
    assert_eq!(store.query(by_regex("^[Ll]athe$")).await?, picked(|m| m.title == "Lathe"));
    Ok(())
}

#[compiled_query]
fn between(from: i32, to: i32) -> impl Query<Vec<i64>> {
    Machine::query().filter(|m| m.year.between(from, to)).order_by(|m| m.id.asc()).select(|m| m.id)
}

#[compiled_query(allow(scan))]
fn sold_after_it_was_made() -> impl Query<Vec<i64>> {
    Machine::query().filter(|m| m.sold_in > m.year).order_by(|m| m.id.asc()).select(|m| m.id)
}

#[compiled_query(allow(scan))]
fn scrapped_when_sold() -> impl Query<Vec<i64>> {
    Machine::query().filter(|m| m.sold_in == m.scrapped_in).order_by(|m| m.id.asc()).select(|m| m.id)
}

#[compiled_query(allow(scan))]
fn wanting_parts() -> impl Query<Vec<i64>> {
    Machine::query()
        .filter(|m| m.parts.any(|p| p.needed > p.in_stock && p.name != "p0"))
        .order_by(|m| m.id.asc())
        .select(|m| m.id)
}

#[tokio::test]
async fn fields_compare_with_ranges_and_with_each_other_as_in_rust() -> TestResult {
    let (_db, store) = machines().await?;
    assert_eq!(store.query(between(1993, 1995)).await?, [3, 4, 5]);
    assert_eq!(store.query(sold_after_it_was_made()).await?, picked(|m| m.sold_in > Some(m.year)));
    assert_eq!(store.query(scrapped_when_sold()).await?, picked(|m| m.sold_in == m.scrapped_in));
    let wanting = picked(|m| m.parts.iter().any(|p| p.needed > p.in_stock && p.name != "p0"));
    assert_eq!(store.query(wanting_parts()).await?, wanting);
    let query = store.docs().query::<Machine>().filter(|m| m.sold_in.ne(m.scrapped_in));
    assert_eq!(query.count().await?, picked(|m| m.sold_in != m.scrapped_in).len() as i64);
    Ok(())
}

#[compiled_query(allow(scan))]
fn with_parts(least: i64) -> impl Query<Vec<i64>> {
    Machine::query()
        .filter(|m| m.parts.len() >= least && !m.parts.is_empty() || 2 == m.parts.len())
        .order_by(|m| m.id.asc())
        .select(|m| m.id)
}

#[compiled_query]
fn labelled(key: &str, value: &str) -> impl Query<Vec<i64>> {
    Machine::query().filter(|m| m.labels.has_entry(key, value)).order_by(|m| m.id.asc()).select(|m| m.id)
}

#[compiled_query(allow(scan))]
fn with_label(key: &str) -> impl Query<Vec<i64>> {
    Machine::query()
        .filter(|m| m.labels.has_key(key) && m.counts.has_entry("bolts", 3))
        .order_by(|m| m.id.asc())
        .select(|m| m.id)
}

#[tokio::test]
async fn lists_have_a_length_and_maps_have_keys_and_entries() -> TestResult {
    let (_db, store) = machines().await?;
    assert_eq!(store.query(with_parts(1)).await?, picked(|m| !m.parts.is_empty()));
    assert_eq!(store.query(with_parts(3)).await?, picked(|m| m.parts.len() == 2));
    assert_eq!(store.query(labelled("k1", "it's")).await?, picked(|m| m.labels.contains_key("k1")));
    assert_eq!(store.query(labelled("k1", "other")).await?, [] as [i64; 0]);
    assert_eq!(store.query(with_label("k1")).await?, [3]);
    Ok(())
}

#[compiled_query]
fn search(year: i32, code: Option<&str>, ids: Option<Vec<i64>>, sold: Option<i32>) -> impl Query<Vec<i64>> {
    Machine::query()
        .filter(|m| m.year >= year)
        .filter_if(code, |m, code| m.code == code)
        .filter_if(ids, |m, ids| m.id.one_of(ids))
        .filter_if(sold, |m, sold| m.sold_in <= sold || m.sold_in.is_null())
        .order_by(|m| m.id.asc())
        .select(|m| m.id)
}

#[tokio::test]
async fn a_condition_on_an_absent_argument_is_left_out_and_the_text_stays_the_same() -> TestResult {
    let (_db, store) = machines().await?;
    let text = search(0, None, None, None).sql();
    assert_eq!(text, search(0, Some("x"), Some(vec![1]), Some(1)).sql());
    assert_eq!(store.query(search(1990, None, None, None)).await?, picked(|_| true));
    assert_eq!(store.query(search(1990, Some("x4"), None, None)).await?, [4]);
    assert_eq!(store.query(search(1992, None, Some(vec![1, 2, 3]), None)).await?, [2, 3]);
    let sold = picked(|m| m.sold_in.is_none_or(|it| it <= 1996));
    assert_eq!(store.query(search(1990, None, None, Some(1996))).await?, sold);
    let in_place = |code: Option<&'static str>| {
        store.docs().query::<Machine>().filter_if(code, |m, code| m.code.eq(code)).filter(|m| m.year.ge(1992)).count()
    };
    assert_eq!((in_place(None).await?, in_place(Some("x4")).await?), (10, 1));
    Ok(())
}

#[tokio::test]
async fn text_indexes_serve_the_operators_that_coverage_says_they_do() -> TestResult {
    let (_db, store) = store_with(|it| it.schema("app").document::<Machine>()).await?;
    store.schema().sync(&Default::default()).await?; // the second sync finds the extension and the indexes
    let mut tx = store.pool().begin().await?;
    sqlx::raw_sql("SET LOCAL enable_seqscan = off; SET LOCAL search_path = app").execute(&mut *tx).await?;
    let queries = [
        (containing("").sql(), "('steel')", "trigram"),
        (ending("").sql(), "('works')", "trigram"),
        (title_ilike("").sql(), "('%lathe%')", "trigram"),
        (starting("").sql(), "('100')", "pattern"),
        (code_like().sql(), "", "pattern"),
        (labelled("", "").sql(), "('a', 'b')", "gin"),
        (between(1, 2).sql(), "(1, 2)", "year"),
    ];
    for (n, (sql, values, index)) in queries.iter().enumerate() {
        let sql = sql.replace("public.", "app.").replace(" ORDER BY id", "");
        let explain = format!("PREPARE q{n} AS {sql}; EXPLAIN (COSTS OFF) EXECUTE q{n} {values}");
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(explain)).fetch_all(&mut *tx).await?;
        let plan: Vec<String> = rows.iter().map(|row| sqlx::Row::try_get(row, 0)).collect::<Result<_, _>>()?;
        let plan = plan.join("\n");
        assert!(plan.contains("Index") && plan.contains(index) && !plan.contains("Seq Scan"), "{sql}\n{plan}");
    }
    Ok(())
}
