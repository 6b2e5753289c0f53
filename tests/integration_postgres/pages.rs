use std::cmp::Ordering;
use std::fmt::Debug;

use chrono::{DateTime, TimeZone, Utc};
use rillflow::{Cursor, Document, Error, NumberedPage, Page, Query, Store, compiled_query};
use serde::{Deserialize, Serialize};

use crate::orders::{Customer, Status, customer};
use crate::served::{many, served};
use crate::support::{Db, TestResult, store_with};

/// A document whose keys are often equal, and often missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(index(shelf, weight desc nulls_last), index(bought_at))]
struct Book {
    #[document(id)]
    id: i64,
    shelf: String,
    weight: Option<f64>,
    bought_at: DateTime<Utc>,
}

fn book(n: i64) -> Book {
    Book {
        id: n,
        shelf: ["a", "b", "ä'\""][(n % 3) as usize].to_owned(),
        weight: if n % 4 == 0 { None } else { Some((n * 7 % 5) as f64 / 3.0) },
        bought_at: Utc.timestamp_opt(1_700_000_000 + n * 5 % 7, 123_456_000).single().expect("a valid time"),
    }
}

many!(Book, 20_000, |n| Book { shelf: format!("shelf {}", n % 500), ..book(n) });
served!(
    on_shelf("shelf 7", None, 10),
    by_time(None),
    by_id(None),
    page_of_shelf("shelf 7", 1, 5),
    heaviest("shelf 7"),
    greatest_weight("shelf 7"),
    oldest(),
    mean_weight("shelf 7"),
    every_active(),
    deleted(Status::Active),
);

async fn books() -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store_with(|it| it.document::<Book>()).await?;
    for n in 0..23 {
        store.docs().put(&book(n)).await?;
    }
    Ok((db, store))
}

#[compiled_query]
fn on_shelf(shelf: &str, after: Option<Cursor>, size: i64) -> impl Query<Page<Book>> {
    Book::query().filter(|b| b.shelf == shelf).order_by(|b| b.weight.desc().nulls_last()).page(after, size)
}

#[compiled_query]
fn by_time(after: Option<&Cursor>) -> impl Query<Page<i64>> {
    Book::query().order_by(|b| b.bought_at.desc()).select(|b| b.id).page(after, 4)
}

#[compiled_query]
fn by_id(after: Option<Cursor>) -> impl Query<Page<(i64, String)>> {
    Book::query().select(|b| (b.id, b.shelf)).page(after, 10)
}

#[compiled_query(allow(scan))]
fn mixed(after: Option<Cursor>, size: i64) -> impl Query<Page<Book>> {
    Book::query().order_by(|b| (b.shelf.asc(), b.weight.asc().nulls_first(), b.bought_at.desc())).page(after, size)
}

#[compiled_query(allow(scan))]
fn nulls_last(after: Option<Cursor>, size: i64) -> impl Query<Page<Book>> {
    Book::query().order_by(|b| (b.weight.asc(), b.id.desc())).page(after, size)
}

#[compiled_query(allow(scan))]
fn nulls_first(after: Option<Cursor>, size: i64) -> impl Query<Page<Book>> {
    Book::query().order_by(|b| (b.weight.desc(), b.shelf.desc())).page(after, size)
}

/// All rows of all pages, each cursor going through its text.
pub(crate) async fn all_pages<T: Debug, Q: Query<Page<T>>>(
    store: &Store,
    size: usize,
    query: impl Fn(Option<Cursor>) -> Q,
) -> Result<Vec<T>, Box<dyn std::error::Error>> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let page = store.query(query(after)).await?;
        assert!(page.items.len() == size || page.next.is_none(), "{page:?}");
        rows.extend(page.items);
        match page.next {
            Some(next) => after = Some(next.to_string().parse()?),
            None => return Ok(rows),
        }
    }
}

/// The numbers of the books in this order.
fn sorted(compare: impl Fn(&Book, &Book) -> Ordering) -> Vec<i64> {
    let mut books: Vec<Book> = (0..23).map(book).collect();
    books.sort_by(|a, b| compare(a, b));
    books.iter().map(|it| it.id).collect()
}

fn numbers(books: &[Book]) -> Vec<i64> {
    books.iter().map(|it| it.id).collect()
}

fn weights(a: &Book, b: &Book) -> Ordering {
    a.weight.partial_cmp(&b.weight).expect("no NaN")
}

#[tokio::test]
async fn pages_after_a_cursor_together_are_the_whole_order_whatever_their_size() -> TestResult {
    let (_db, store) = books().await?;
    for size in [1, 2, 3, 7, 22, 23, 24] {
        let rows = all_pages(&store, size, |after| mixed(after, size as i64)).await?;
        // `None` is less than every value in Rust too: nulls first
        let expected = sorted(|a, b| {
            (a.shelf.as_bytes().cmp(b.shelf.as_bytes()))
                .then(weights(a, b))
                .then(b.bought_at.cmp(&a.bought_at))
                .then(b.id.cmp(&a.id))
        });
        assert_eq!(numbers(&rows), expected, "pages of {size}");

        let rows = all_pages(&store, size, |after| nulls_last(after, size as i64)).await?;
        let expected =
            sorted(|a, b| (a.weight.is_none().cmp(&b.weight.is_none())).then(weights(a, b)).then(b.id.cmp(&a.id)));
        assert_eq!(numbers(&rows), expected, "pages of {size}");

        let rows = all_pages(&store, size, |after| nulls_first(after, size as i64)).await?;
        let expected = sorted(|a, b| {
            (b.weight.is_none().cmp(&a.weight.is_none()))
                .then(weights(b, a))
                .then(b.shelf.as_bytes().cmp(a.shelf.as_bytes()))
                .then(b.id.cmp(&a.id))
        });
        assert_eq!(numbers(&rows), expected, "pages of {size}");

        let rows = all_pages(&store, size, |after| on_shelf("ä'\"", after, size as i64)).await?;
        let mut expected = sorted(|a, b| weights(b, a).then(b.id.cmp(&a.id)));
        expected.retain(|n| n % 3 == 2);
        assert_eq!(numbers(&rows), expected, "pages of {size}");
    }
    let rows = all_pages(&store, 4, |after| by_time(after.as_ref())).await?;
    assert_eq!(rows, sorted(|a, b| b.bought_at.cmp(&a.bought_at).then(b.id.cmp(&a.id))));
    let rows = all_pages(&store, 10, by_id).await?;
    assert_eq!(rows.iter().map(|(id, _)| *id).collect::<Vec<_>>(), (0..23).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn what_is_written_between_two_pages_moves_nothing() -> TestResult {
    let (_db, store) = books().await?;
    let first = store.query(by_id(None)).await?;
    for n in -5..0 {
        store.docs().put(&book(n + 30)).await?;
        store.docs().put(&Book { id: n, ..book(0) }).await?;
    }
    let second = store.query(by_id(first.next)).await?;
    assert_eq!(second.items[0].0, 10);
    Ok(())
}

#[tokio::test]
async fn a_cursor_of_another_order_is_refused_before_it_reaches_the_database() -> TestResult {
    let (_db, store) = books().await?;
    let cursor = store.query(by_id(None)).await?.next;
    assert!(cursor.is_some());
    let refused = store.query(mixed(cursor.clone(), 3)).await;
    assert!(matches!(refused, Err(Error::InvalidCursor { .. })), "{refused:?}");
    let refused = store.docs().query::<Book>().order_by(|b| b.bought_at.asc()).page(cursor, 3).await;
    assert!(matches!(refused, Err(Error::InvalidCursor { .. })), "{refused:?}");

    let json = serde_json::to_string(&store.query(by_id(None)).await?)?;
    assert_eq!(serde_json::from_str::<Page<(i64, String)>>(&json)?, store.query(by_id(None)).await?);
    Ok(())
}

#[tokio::test]
async fn pages_written_in_place_are_the_same() -> TestResult {
    let (_db, store) = books().await?;
    let query = || store.docs().query::<Book>().filter(|b| b.shelf.eq("a") & b.id.ge(3)).order_by(|b| b.weight.desc());
    let all = query().fetch_all().await?;
    let first = query().page(None::<Cursor>, 4).await?;
    let second = query().page(first.next, 4).await?;
    assert_eq!((first.items.len(), second.items.len(), second.next), (4, 3, None));
    assert_eq!(numbers(&[first.items, second.items].concat()).len(), all.len());

    let page = query().numbered_page(2, 4).await?;
    assert_eq!((numbers(&page.items), page.total), (numbers(&all[4..]), 7));
    let beyond = query().numbered_page(9, 4).await?;
    assert_eq!(beyond, NumberedPage { items: vec![], total: 7 });
    assert_eq!(query().order_by(|b| b.id.asc()).fetch_first().await?, Some(book(3)));
    Ok(())
}

#[compiled_query]
fn page_of_shelf(shelf: &str, number: i64, size: i64) -> impl Query<NumberedPage<i64>> {
    Book::query()
        .filter(|b| b.shelf == shelf)
        .order_by(|b| b.weight.desc().nulls_last())
        .select(|b| b.id)
        .numbered_page(number, size)
}

#[tokio::test]
async fn a_numbered_page_knows_how_many_there_are_in_all() -> TestResult {
    let (_db, store) = books().await?;
    let first = store.query(page_of_shelf("a", 1, 5)).await?;
    let second = store.query(page_of_shelf("a", 2, 5)).await?;
    assert_eq!((first.items.len(), second.items.len(), first.total, second.total), (5, 3, 8, 8));
    assert_eq!(store.query(page_of_shelf("none", 1, 5)).await?, NumberedPage { items: vec![], total: 0 });
    assert_eq!(store.query(page_of_shelf("a", 0, 5)).await?, first, "pages are counted from 1");
    Ok(())
}

#[compiled_query]
fn heaviest(shelf: &str) -> impl Query<Option<Book>> {
    Book::query().filter(|b| b.shelf == shelf).order_by(|b| b.weight.desc().nulls_last()).first()
}

#[compiled_query]
fn greatest_weight(shelf: &str) -> impl Query<Option<f64>> {
    Book::query().filter(|b| b.shelf == shelf).max(|b| b.weight)
}

#[compiled_query]
fn oldest() -> impl Query<Option<DateTime<Utc>>> {
    Book::query().min(|b| b.bought_at)
}

#[compiled_query(allow(scan))]
fn sum_of_ids() -> impl Query<Option<i64>> {
    Book::query().sum(|b| b.id)
}

#[compiled_query]
fn mean_weight(shelf: &str) -> impl Query<Option<f64>> {
    Book::query().filter(|b| b.shelf == shelf).avg(|b| b.weight)
}

#[tokio::test]
async fn the_first_the_least_the_greatest_the_sum_and_the_mean() -> TestResult {
    let (_db, store) = books().await?;
    let on_a: Vec<f64> = (0..23).map(book).filter(|it| it.shelf == "a").filter_map(|it| it.weight).collect();
    let greatest = on_a.iter().copied().reduce(f64::max);
    assert_eq!(store.query(heaviest("a")).await?.and_then(|it| it.weight), greatest);
    assert_eq!(store.query(greatest_weight("a")).await?, greatest);
    assert_eq!(store.query(greatest_weight("none")).await?, None);
    assert_eq!(store.query(oldest()).await?, (0..23).map(|n| book(n).bought_at).min());
    assert_eq!(store.query(sum_of_ids()).await?, Some((0..23).sum()));
    let mean = store.query(mean_weight("a")).await?.ok_or("no mean")?;
    assert!((mean - on_a.iter().sum::<f64>() / on_a.len() as f64).abs() < 1e-12);
    Ok(())
}

#[compiled_query]
fn every_active() -> impl Query<i64> {
    Customer::query().filter(|c| c.status == Status::Active).include_deleted().count()
}

#[compiled_query]
fn deleted(status: Status) -> impl Query<Vec<Customer>> {
    Customer::query().only_deleted().filter(|c| c.status == status)
}

#[tokio::test]
async fn soft_deleted_documents_are_found_only_when_asked_for() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    for n in 0..4 {
        store.docs().put(&customer(n)).await?;
    }
    let delete = "UPDATE docs_customers SET deleted_at = now() WHERE doc->>'handle' = 'c2'";
    sqlx::raw_sql(delete).execute(store.pool()).await?;

    assert_eq!(store.query(every_active()).await?, 2);
    assert_eq!(store.query(deleted(Status::Active)).await?, [customer(2)]);
    assert_eq!(store.query(deleted(Status::OnHold)).await?, []);
    let query = || store.docs().query::<Customer>();
    assert_eq!(query().count().await?, 3);
    assert_eq!(query().include_deleted().count().await?, 4);
    assert_eq!(query().filter(|c| c.handle.ne("x")).only_deleted().fetch_all().await?, [customer(2)]);
    assert_eq!(query().include_deleted().order_by(|c| c.handle.asc()).page(None::<Cursor>, 4).await?.items.len(), 4);
    Ok(())
}
