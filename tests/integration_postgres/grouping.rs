mod pages;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeZone, Utc};
use rillflow::{Document, DocumentFields, DocumentValue, NumberedPage, Query, Store, compiled_query};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::served::{many, served};
use crate::support::{Db, TestResult, store_with};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, DocumentValue)]
#[serde(rename_all = "kebab-case")]
enum Channel {
    Shop,
    ByPhone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, DocumentValue)]
struct Cents(i64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentFields)]
struct Place {
    city: String,
    zip: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(index(year), index(place.city))]
#[serde(rename_all = "camelCase")]
struct Sale {
    #[document(id)]
    id: Uuid,
    year: i32,
    channel: Channel,
    place: Place,
    paid_in: Cents,
    rebate: Option<f64>,
    sent_to: Option<Place>,
    made_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

fn sale(n: i64) -> Sale {
    let city = ["Oslo", "Bergen", "it's"][(n % 3) as usize].to_owned();
    Sale {
        id: Uuid::from_u128(n as u128 * 7919 % 101),
        year: 2020 + (n % 4) as i32,
        channel: if n % 5 < 3 { Channel::Shop } else { Channel::ByPhone },
        place: Place { city: city.clone(), zip: if n % 2 == 0 { None } else { Some(format!("{}", n % 3)) } },
        paid_in: Cents(n * 10),
        rebate: if n % 4 == 0 { None } else { Some(n as f64 / 4.0) },
        sent_to: if n % 3 == 1 { None } else { Some(Place { city, zip: None }) },
        made_at: Utc.timestamp_opt(1_700_000_000 + n / 2, 0).single().expect("a valid time"),
        notes: if n % 2 == 0 { vec![] } else { vec!["n".to_owned()] },
    }
}

fn sales() -> impl Iterator<Item = Sale> {
    (0..60).map(sale)
}

async fn sold() -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store_with(|it| it.document::<Sale>()).await?;
    for n in 0..60 {
        store.docs().put(&sale(n)).await?;
    }
    Ok((db, store))
}

/// The sales in groups, by Rust.
fn grouped<K: Ord>(key: impl Fn(&Sale) -> K) -> BTreeMap<K, Vec<Sale>> {
    sales().fold(BTreeMap::new(), |mut groups, it| {
        groups.entry(key(&it)).or_default().push(it);
        groups
    })
}

fn paid(sales: &[Sale]) -> i64 {
    sales.iter().map(|it| it.paid_in.0).sum()
}

#[compiled_query(allow(scan))]
fn by_city() -> impl Query<Vec<(String, i64, i64, Cents, Cents)>> {
    Sale::query()
        .group_by(|s| s.place.city)
        .order_by(|s, _| s.place.city.asc())
        .select(|s, g| (s.place.city, g.count(), g.sum(s.paid_in), g.min(s.paid_in), g.max(s.paid_in)))
}

#[tokio::test]
async fn several_aggregates_of_each_group_are_what_rust_computes() -> TestResult {
    let (_db, store) = sold().await?;
    let expected: Vec<_> = grouped(|it| it.place.city.clone())
        .into_iter()
        .map(|(city, found)| {
            let (least, most) = (found.iter().map(|it| it.paid_in).min(), found.iter().map(|it| it.paid_in).max());
            (city, found.len() as i64, paid(&found), least.unwrap_or(Cents(0)), most.unwrap_or(Cents(0)))
        })
        .collect();
    assert_eq!(store.query(by_city()).await?, expected);
    Ok(())
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    channel: Channel,
    year: i32,
    #[serde(rename = "n")]
    number: i64,
    mean_rebate: Option<f64>,
    last: DateTime<Utc>,
    least_id: Uuid,
}

#[compiled_query]
fn summaries(least: i64, city: &str, limit: i64) -> impl Query<Vec<Summary>> {
    Sale::query()
        .filter(|s| s.place.city != city && s.year > 2020)
        .group_by(|s| (s.year, s.channel))
        .having(|s, g| g.count() >= least && (g.sum(s.paid_in) > 100 || s.channel == Channel::Shop))
        .having(|s, g| !(g.max(s.rebate) < 1.0) && g.max(s.paid_in) > g.min(s.paid_in))
        .order_by(|s, g| (g.count().desc(), g.avg(s.rebate).asc(), s.year.desc(), g.sum(s.paid_in).asc()))
        .limit(limit)
        .select(|s, g| Summary {
            channel: s.channel,
            year: s.year,
            number: g.count(),
            mean_rebate: g.avg(s.rebate),
            last: g.max(s.made_at),
            least_id: g.min(s.id),
        })
}

#[tokio::test]
async fn groups_by_two_keys_are_chosen_sorted_and_read_into_a_struct() -> TestResult {
    let (_db, store) = sold().await?;
    for (least, limit) in [(1, 50), (4, 50), (3, 2), (100, 5)] {
        let mut expected: Vec<_> = grouped(|it| (it.year, it.channel))
            .into_iter()
            .map(|(key, found)| (key, found.into_iter().filter(|it| it.place.city != "Oslo").collect::<Vec<_>>()))
            .filter(|((year, channel), found)| {
                let most = found.iter().filter_map(|it| it.rebate).fold(f64::MIN, f64::max);
                let chosen = paid(found) > 100 || *channel == Channel::Shop;
                *year > 2020
                    && !found.is_empty()
                    && found.len() as i64 >= least
                    && chosen
                    && most >= 1.0
                    && found.len() > 1
            })
            .map(|((year, channel), found)| {
                let rebates: Vec<f64> = found.iter().filter_map(|it| it.rebate).collect();
                let summary = Summary {
                    channel,
                    year,
                    number: found.len() as i64,
                    mean_rebate: Some(rebates.iter().sum::<f64>() / rebates.len() as f64),
                    last: found.iter().map(|it| it.made_at).max().unwrap_or_default(),
                    least_id: found.iter().map(|it| it.id).min().unwrap_or_default(),
                };
                (summary, paid(&found))
            })
            .collect();
        expected.sort_by(|(a, a_paid), (b, b_paid)| {
            (b.number, a.mean_rebate, b.year, a_paid)
                .partial_cmp(&(a.number, b.mean_rebate, a.year, b_paid))
                .expect("no NaN")
        });
        let expected: Vec<_> = expected.into_iter().map(|(it, _)| it).take(limit as usize).collect();
        assert_eq!(store.query(summaries(least, "Oslo", limit)).await?, expected, "{least} {limit}");
        assert_eq!(expected.is_empty(), least == 100, "the test would compare nothing");
    }
    Ok(())
}

#[compiled_query(allow(scan))]
fn zips() -> impl Query<Vec<(Option<String>, i64, Option<f64>, Option<f64>)>> {
    Sale::query()
        .group_by(|s| s.sent_to.city)
        .order_by(|s, _| s.sent_to.city.asc().nulls_first())
        .select(|s, g| (s.sent_to.city, g.count(), g.sum(s.rebate), g.max(s.rebate)))
}

#[tokio::test]
async fn documents_without_a_value_are_a_group_of_their_own() -> TestResult {
    let (_db, store) = sold().await?;
    let expected: Vec<_> = grouped(|it| it.sent_to.as_ref().map(|it| it.city.clone()))
        .into_iter()
        .map(|(city, found)| {
            let rebates = || found.iter().filter_map(|it| it.rebate);
            (city, found.len() as i64, Some(rebates().sum()), rebates().reduce(f64::max))
        })
        .collect();
    assert_eq!(store.query(zips()).await?, expected);
    Ok(())
}

#[compiled_query(allow(scan))]
fn cities_by_page(number: i64, size: i64) -> impl Query<NumberedPage<(String, i64)>> {
    Sale::query()
        .group_by(|s| s.place.city)
        .having(|s, g| g.count() > 0 && s.place.city != "Oslo")
        .order_by(|s, _| s.place.city.desc())
        .select(|s, g| (s.place.city, g.count()))
        .numbered_page(number, size)
}

#[compiled_query]
fn best_year(city: &str) -> impl Query<Option<(i32, i64)>> {
    Sale::query()
        .filter(|s| s.place.city == city)
        .group_by(|s| s.year)
        .order_by(|s, g| (g.sum(s.paid_in).desc(), s.year.asc()))
        .select(|s, g| (s.year, g.sum(s.paid_in)))
        .first()
}

#[tokio::test]
async fn groups_come_in_pages_and_one_by_one() -> TestResult {
    let (_db, store) = sold().await?;
    let page = store.query(cities_by_page(1, 1)).await?;
    assert_eq!((page.items, page.total), (vec![("it's".to_owned(), 20)], 2));
    assert_eq!(store.query(cities_by_page(2, 1)).await?.items, [("Bergen".to_owned(), 20)]);
    let years = grouped(|it| (it.place.city == "Bergen", it.year));
    let best = years.iter().filter(|((bergen, _), _)| *bergen).map(|((_, year), found)| (*year, paid(found)));
    assert_eq!(store.query(best_year("Bergen")).await?, best.max_by_key(|(year, paid)| (*paid, -year)));
    Ok(())
}

#[compiled_query(allow(scan))]
fn places() -> impl Query<Vec<(String, Option<String>)>> {
    Sale::query()
        .select(|s| (s.place.city, s.place.zip))
        .distinct()
        .order_by(|s| (s.place.city.asc(), s.place.zip.desc().nulls_last()))
}

#[compiled_query]
fn recipients(year: i32) -> impl Query<Vec<Option<String>>> {
    Sale::query().filter(|s| s.year == year).select(|s| s.sent_to.city).distinct()
}

#[derive(Debug, PartialEq, Deserialize)]
struct Kind {
    #[serde(rename = "kind of sale")]
    channel: Channel,
    #[serde(default)]
    notes: Option<Vec<String>>,
}

#[compiled_query(allow(scan))]
fn kinds(limit: i64) -> impl Query<Vec<Kind>> {
    Sale::query().select(|s| Kind { channel: s.channel, notes: s.notes }).distinct().limit(limit)
}

#[compiled_query(allow(scan))]
fn years(number: i64) -> impl Query<NumberedPage<i32>> {
    Sale::query().order_by(|s| s.year.desc()).select(|s| s.year).distinct().numbered_page(number, 3)
}

#[tokio::test]
async fn distinct_rows_come_once() -> TestResult {
    let (_db, store) = sold().await?;
    let mut expected: Vec<_> =
        sales().map(|it| (it.place.city, it.place.zip)).collect::<BTreeSet<_>>().into_iter().collect();
    expected.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    assert_eq!(store.query(places()).await?, expected);

    // a missing key and a null are the same row
    sqlx::raw_sql("UPDATE docs_sales SET doc = doc - 'sentTo' WHERE doc->>'year' = '2021' AND doc->>'sentTo' IS NULL")
        .execute(store.pool())
        .await?;
    sqlx::raw_sql(
        "UPDATE docs_sales SET doc = jsonb_set(doc, '{sentTo}', '{\"city\": null}') \
         WHERE id = (SELECT id FROM docs_sales WHERE doc->>'year' = '2021' AND NOT doc ? 'sentTo' LIMIT 1)",
    )
    .execute(store.pool())
    .await?;
    let found: BTreeSet<_> = store.query(recipients(2021)).await?.into_iter().collect();
    let expected: BTreeSet<_> =
        sales().filter(|it| it.year == 2021).map(|it| it.sent_to.map(|place| place.city)).collect();
    assert_eq!(found, expected);
    assert_eq!(store.query(recipients(2021)).await?.len(), expected.len());

    assert_eq!(store.query(kinds(50)).await?.len(), 4);
    assert_eq!(store.query(kinds(3)).await?.len(), 3);
    assert_eq!(store.query(years(1)).await?, NumberedPage { items: vec![2023, 2022, 2021], total: 4 });
    assert_eq!(store.query(years(2)).await?.items, [2020]);
    Ok(())
}

#[compiled_query]
fn sent(year: i32) -> impl Query<Vec<(Option<String>, Option<Vec<String>>)>> {
    Sale::query().filter(|s| s.year == year).order_by(|s| s.id.asc()).select(|s| (s.sent_to.city, s.notes))
}

many!(Sale, 20_000, |n| Sale {
    id: Uuid::from_u128(n as u128),
    year: (n % 2030) as i32,
    place: Place { city: format!("city {n}"), zip: None },
    ..sale(n)
});
served!(summaries(1, "Oslo", 5), best_year("city 7"), recipients(2021), sent(2021));

#[tokio::test]
async fn a_field_behind_an_option_is_an_option_in_a_row() -> TestResult {
    let (_db, store) = sold().await?;
    let mut expected: Vec<_> = sales().filter(|it| it.year == 2021).collect();
    expected.sort_by_key(|it| it.id);
    let expected: Vec<_> = expected
        .into_iter()
        .map(|it| (it.sent_to.map(|place| place.city), Some(it.notes).filter(|notes| !notes.is_empty())))
        .collect();
    assert_eq!(store.query(sent(2021)).await?, expected);
    Ok(())
}

#[tokio::test]
async fn queries_written_in_place_group_too() -> TestResult {
    let (_db, store) = sold().await?;
    let mut groups: Vec<_> = grouped(|it| (it.year, it.channel)).into_iter().collect();
    groups.sort_by_key(|((year, _), found)| (*year, found.iter().map(|it| it.paid_in).min()));
    let expected: Vec<_> = groups
        .into_iter()
        .map(|((year, channel), found)| (year, channel, found.len() as i64, paid(&found)))
        .filter(|(_, _, number, paid)| *number > 3 && *paid > 1000)
        .collect();
    let least = 3_i64;
    let found = store
        .docs()
        .query::<Sale>()
        .filter(|s| s.year.ge(2020))
        .group_by(|s| (s.channel, s.year))
        .having(|s, g| g.count().gt(least) & g.sum(s.paid_in).gt(1000))
        .order_by(|s, g| (s.year.asc(), g.min(s.paid_in).asc()))
        .limit(100)
        .offset(0)
        .select(|s, g| (s.year, s.channel, g.count(), g.sum(s.paid_in)))
        .fetch_all()
        .await?;
    assert!(!found.is_empty());
    assert_eq!(found, expected);

    let cities = store.docs().query::<Sale>().order_by(|s| s.place.city.asc()).select(|s| s.place.city).distinct();
    assert_eq!(cities.fetch_all().await?, ["Bergen", "Oslo", "it's"]);
    Ok(())
}

#[tokio::test]
async fn the_least_and_the_greatest_id_are_found_on_every_postgresql() -> TestResult {
    #[compiled_query(allow(scan))]
    fn last() -> impl Query<Option<Uuid>> {
        Sale::query().max(|s| s.id)
    }

    let (_db, store) = sold().await?;
    assert_eq!(store.query(last()).await?, sales().map(|it| it.id).max());
    Ok(())
}

#[tokio::test]
async fn a_list_that_serde_left_out_is_an_empty_one() -> TestResult {
    #[compiled_query(allow(scan))]
    fn without_notes() -> impl Query<i64> {
        Sale::query().filter(|s| s.notes.is_empty() && s.notes.len() < 1).count()
    }

    let (_db, store) = sold().await?;
    assert_eq!(store.query(without_notes()).await?, 30);
    Ok(())
}
