//! Pages after a cursor over groups and distinct rows.

use std::cmp::Ordering;

use rillflow::{Cursor, Error, Page, Query, compiled_query};

use super::{Channel, Sale, grouped, paid, sales, sold};
use crate::pages::all_pages;
use crate::served::served;
use crate::support::{TestResult, statements_sent};

#[compiled_query(allow(scan))]
fn by_sum(after: Option<Cursor>, size: i64) -> impl Query<Page<(i32, Channel, i64)>> {
    Sale::query()
        .group_by(|s| (s.year, s.channel))
        .having(|_, g| g.count() > 1)
        .order_by(|_, g| g.count().desc())
        .select(|s, g| (s.year, s.channel, g.sum(s.paid_in)))
        .page(after, size)
}

#[compiled_query(allow(scan))]
fn by_rebate(after: Option<Cursor>, size: i64) -> impl Query<Page<(Option<String>, Option<f64>)>> {
    Sale::query()
        .group_by(|s| (s.place.zip, s.place.city))
        .order_by(|s, g| (s.place.zip.asc().nulls_first(), g.avg(s.rebate).desc().nulls_last()))
        .select(|s, g| (s.place.zip, g.avg(s.rebate)))
        .page(after, size)
}

#[compiled_query]
fn years_of(city: &str, after: Option<Cursor>) -> impl Query<Page<(i32, i64)>> {
    Sale::query()
        .filter(|s| s.place.city == city)
        .group_by(|s| s.year)
        .select(|s, g| (s.year, g.count()))
        .page(after, 3)
}

#[compiled_query(allow(scan))]
fn zips(after: Option<Cursor>, size: i64) -> impl Query<Page<Option<String>>> {
    Sale::query().select(|s| s.place.zip).distinct().page(after, size)
}

#[compiled_query(allow(scan))]
fn places(after: Option<Cursor>, size: i64) -> impl Query<Page<(String, Option<String>)>> {
    Sale::query().select(|s| (s.place.city, s.place.zip)).distinct().order_by(|s| s.place.city.desc()).page(after, size)
}

served!(years_of("city 7", None));

#[tokio::test]
async fn pages_of_groups_together_are_all_groups_in_their_order() -> TestResult {
    let (_db, store) = sold().await?;
    let mut groups: Vec<_> = grouped(|it| (it.year, it.channel)).into_iter().collect();
    groups.retain(|(_, found)| found.len() > 1);
    // what was not asked for goes in the direction of the key before it; a variant sorts by its text
    let text = |it: Channel| if it == Channel::Shop { "shop" } else { "by-phone" };
    groups.sort_by(|((year, channel), a), ((other_year, other), b)| {
        let keys = (other_year, text(*other)).cmp(&(year, text(*channel)));
        b.len().cmp(&a.len()).then(keys)
    });
    let expected: Vec<_> = groups.iter().map(|((year, channel), found)| (*year, *channel, paid(found))).collect();
    assert!(expected.len() > 5, "the test compares too little");
    for size in [1, 2, 3, 50] {
        assert_eq!(all_pages(&store, size, |after| by_sum(after, size as i64)).await?, expected, "pages of {size}");
    }

    let mut groups: Vec<_> = grouped(|it| (it.place.zip.clone(), it.place.city.clone()))
        .into_iter()
        .map(|((zip, city), found)| {
            let rebates: Vec<f64> = found.iter().filter_map(|it| it.rebate).collect();
            let mean = (!rebates.is_empty()).then(|| rebates.iter().sum::<f64>() / rebates.len() as f64);
            (zip, mean, city)
        })
        .collect();
    groups.sort_by(|a, b| {
        let mean = (a.1.is_none().cmp(&b.1.is_none())).then(b.1.partial_cmp(&a.1).unwrap_or(Ordering::Equal));
        a.0.cmp(&b.0).then(mean).then(b.2.cmp(&a.2))
    });
    let expected: Vec<_> = groups.into_iter().map(|(zip, mean, _)| (zip, mean)).collect();
    for size in [1, 2, 4] {
        let found = all_pages(&store, size, |after| by_rebate(after, size as i64)).await?;
        assert_eq!(found, expected, "pages of {size}");
    }
    Ok(())
}

#[tokio::test]
async fn a_page_of_groups_is_one_statement_and_its_cursor_is_of_these_groups() -> TestResult {
    let (_db, store) = sold().await?;
    statements_sent();
    let first = store.query(years_of("Oslo", None)).await?;
    assert_eq!(statements_sent(), 1);
    assert_eq!(first.items.iter().map(|(year, _)| *year).collect::<Vec<_>>(), [2020, 2021, 2022]);
    let rest = store.query(years_of("Oslo", first.next.clone())).await?;
    assert_eq!((rest.items.len(), rest.items[0].0, rest.next), (1, 2023, None));
    let Some(cursor) = first.next else { return Err("there is a next page".into()) };
    let other = store.query(by_sum(Some(cursor), 3)).await;
    assert!(matches!(other, Err(Error::InvalidCursor { .. })), "{other:?}");
    Ok(())
}

#[tokio::test]
async fn pages_of_distinct_rows_together_are_each_row_once() -> TestResult {
    let (_db, store) = sold().await?;
    for size in [1, 2, 3] {
        let mut found = all_pages(&store, size, |after| zips(after, size as i64)).await?;
        found.sort();
        let mut expected: Vec<_> = sales().map(|it| it.place.zip).collect();
        expected.sort();
        expected.dedup();
        assert_eq!(found, expected, "pages of {size}");

        let found = all_pages(&store, size, |after| places(after, size as i64)).await?;
        let mut expected: Vec<_> = sales().map(|it| (it.place.city, it.place.zip)).collect();
        expected.sort();
        expected.dedup();
        assert!(found.is_sorted_by(|a, b| a.0 >= b.0), "{found:?}");
        assert_eq!(found.len(), expected.len());
        assert!(expected.iter().all(|it| found.contains(it)), "{found:?}");
    }
    Ok(())
}

#[tokio::test]
async fn queries_written_in_place_end_in_pages_of_groups_and_of_distinct_rows_too() -> TestResult {
    let (_db, store) = sold().await?;
    let groups = || {
        let all = store.docs().query::<Sale>().filter(|s| s.year.gt(2000)).group_by(|s| s.year);
        all.order_by(|s, _| s.year.desc()).select(|s, g| (s.year, g.count()))
    };
    let first: Page<(i32, i64)> = groups().page(None::<Cursor>, 3).await?;
    assert_eq!(first.items, [(2023, 15), (2022, 15), (2021, 15)]);
    let rest = groups().page(first.next, 3).await?;
    assert_eq!((rest.items, rest.next), (vec![(2020, 15)], None));
    assert_eq!(groups().fetch_first().await?, Some((2023, 15)));
    let second = groups().numbered_page(2, 3).await?;
    assert_eq!((second.items, second.total), (vec![(2020, 15)], 4));

    let cities = || {
        let all = store.docs().query::<Sale>().order_by(|s| s.place.city.asc());
        all.select(|s| s.place.city).distinct()
    };
    let first = cities().page(None::<Cursor>, 2).await?;
    assert_eq!(first.items, ["Bergen", "Oslo"]);
    assert_eq!(cities().page(first.next, 2).await?.items, ["it's"]);
    assert!(matches!(cities().fetch_optional().await, Err(Error::NotUnique { .. })));
    let one = store.docs().query::<Sale>().filter(|s| s.paid_in.eq(super::Cents(70))).select(|s| s.year);
    assert_eq!(one.fetch_one().await?, 2023);
    let none = store.docs().query::<Sale>().filter(|s| s.year.eq(1)).select(|s| s.year).fetch_one().await;
    assert!(matches!(none, Err(Error::NotFound { query: "sales" })), "{none:?}");
    Ok(())
}
