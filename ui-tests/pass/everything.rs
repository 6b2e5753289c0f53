//! The whole worked example under the strictest lints, with renamed imports and awkward names.
#![deny(missing_docs, warnings, clippy::all)]
#![forbid(unsafe_code)]

use chrono::{DateTime as When, Duration, Utc};
use rillflow::{
    Document as Stored, DocumentFields as Nested, DocumentValue as Scalar, Query as Asked, compiled_query as compiled,
};
use serde::{Deserialize, Serialize};
use std::string::String as Words;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Scalar)]
struct BookId(i64);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Scalar)]
#[serde(rename_all = "snake_case")]
enum Shelf {
    InFront,
    r#Loop,
}

#[derive(Clone, Debug, Serialize, Deserialize, Nested)]
pub(crate) struct Page {
    r#type: Words,
    number: u16,
}

#[derive(Clone, Debug, Serialize, Deserialize, Stored)]
#[document(
    gin,
    index(shelf, bought_at desc),
    unique(r#type, cover.number, name = "books_of_a_kind"),
    index(bought_at, where(|b| b.shelf == Shelf::r#Loop && b.cover.r#type != "it's")),
    column(cover.r#type),
    soft_delete
)]
pub(crate) struct Book {
    #[document(id)]
    id: BookId,
    #[document(index)]
    r#type: Words,
    shelf: Shelf,
    bought_at: When<Utc>,
    cover: Page,
    pages: Vec<Page>,
    #[document(unique(where(not_deleted, |r#book| r#book.lent_to.is_some())))]
    lent_to: Option<Words>,
    lost: Option<Page>,
    #[document(skip)]
    #[serde(skip)]
    seen: bool,
}

/// Books of a kind on a shelf.
#[compiled]
pub(crate) fn of_kind<'a>(r#type: &'a str, days: i64) -> impl Asked<Vec<Book>> {
    Book::query()
        .filter(|b| b.r#type == r#type && b.bought_at > Utc::now() - Duration::days(days))
        .filter(|b| b.shelf == Shelf::r#Loop && b.pages.any(|p| p.r#type == "index"))
        .limit(2)
}

#[compiled(allow(scan, sort))]
fn lent(r#match: &str) -> impl Asked<Vec<(BookId, Option<Words>)>> {
    Book::query()
        .filter(|b| b.lent_to.is_some() && !(b.lent_to == r#match))
        .order_by(|b| (b.lent_to.asc(), b.id.desc()))
        .select(|b| (b.id, b.lent_to))
}

#[compiled(allow(scan))]
fn everything() -> impl Asked<i64> {
    Book::query().count()
}

#[compiled]
fn lent_to(r#match: &str) -> impl Asked<Option<Book>> {
    Book::query().filter(|b| b.lent_to == r#match).one()
}

#[compiled]
fn bound_as(r#type: &str) -> impl Asked<i64> {
    Book::query().filter(|b| b.cover.r#type == r#type && b.lost.is_null()).count()
}

struct Library;

impl Library {
    #[compiled]
    fn newest(shelf: Shelf) -> impl Asked<Vec<Book>> {
        Book::query().filter(|b| b.shelf == shelf).order_by(|b| (b.bought_at.desc(), b.id.desc())).limit(1)
    }
}

fn main() {
    let boxed: Box<dyn Asked<Vec<Book>>> = Box::new(of_kind("a", 3));
    assert!(boxed.sql().ends_with("LIMIT 2"));
    assert_eq!(lent("x").binds().len(), 1);
    assert_eq!(everything().name(), "everything");
    assert_eq!(lent_to("x").binds().len(), 1);
    assert!(bound_as("x").sql().contains("doc_cover_type = $1::text AND (doc->>'lost') IS NULL"));
    assert_eq!(Library::newest(Shelf::InFront).binds().len(), 1);
    let in_place = Book::query().filter(|b| b.r#type.eq("a") & b.cover.number.lt(3)).one();
    assert_eq!(in_place.binds().len(), 2);
    let book = Book {
        id: BookId(1),
        r#type: Words::new(),
        shelf: Shelf::InFront,
        bought_at: Utc::now(),
        cover: Page { r#type: Words::new(), number: 1 },
        pages: Vec::new(),
        lent_to: None,
        lost: None,
        seen: false,
    };
    assert_eq!(*book.id(), BookId(1));
    assert_eq!(Book::COLLECTION.indexes[2].name, "books_of_a_kind");
    let _ = (book.seen, book.pages.len());
}
