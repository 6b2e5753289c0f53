//! What a query gives back: which Rust types its result may have, and how rows become it.
//!
//! The readers are written out, one for each kind of result and of row: rustc shows them to whoever asked for another
//! result, and of a macro it would show the macro.

use serde::de::DeserializeOwned;

use super::fields::{FieldList, Fields};
use super::paging::{NumberedPage, Page};
use super::row::{FromRow, FromRows, Row};
use super::select::Selection;
use crate::Result;

/// How rows become the result.
#[doc(hidden)]
pub type Decode<Out> = fn(&'static str, &[Row<'_>]) -> Result<Out>;

/// The result of a query without `one`, `count` or `exists`.
#[diagnostic::on_unimplemented(
    message = "this query gives `Vec<{T}>`, not `{Self}`",
    label = "expected `Vec<{T}>`",
    note = "for at most one row as `Option<{T}>`, end the query with `.one()`"
)]
#[doc(hidden)]
pub trait Many<T>: FromRows<Item = T> {}

impl<T> Many<T> for Vec<T> {}

/// The result of a query with `one` or `first`.
#[diagnostic::on_unimplemented(
    message = "this query gives at most one row: `Option<{T}>`, not `{Self}`",
    label = "expected `Option<{T}>`"
)]
#[doc(hidden)]
pub trait AtMostOne<T>: FromRows<Item = T> {}

impl<T> AtMostOne<T> for Option<T> {}

/// The result of a query with `count`.
#[diagnostic::on_unimplemented(
    message = "this query ends in `.count()` and gives `i64`, not `{Self}`",
    label = "expected `i64`"
)]
#[doc(hidden)]
pub trait Count: FromRow {}

impl Count for i64 {}

/// The result of a query with `exists`.
#[diagnostic::on_unimplemented(
    message = "this query ends in `.exists()` and gives `bool`, not `{Self}`",
    label = "expected `bool`"
)]
#[doc(hidden)]
pub trait Existence: FromRow {}

impl Existence for bool {}

/// The result of a query with `page`.
#[diagnostic::on_unimplemented(
    message = "this query ends in `.page(..)` and gives `Page<{T}>`, not `{Self}`",
    label = "expected `Page<{T}>`"
)]
#[doc(hidden)]
pub trait PageOf<T>: FromRows<Item = T> {}

impl<T> PageOf<T> for Page<T> {}

/// The result of a query with `numbered_page`.
#[diagnostic::on_unimplemented(
    message = "this query ends in `.numbered_page(..)` and gives `NumberedPage<{T}>`, not `{Self}`",
    label = "expected `NumberedPage<{T}>`"
)]
#[doc(hidden)]
pub trait NumberedPageOf<T>: FromRows<Item = T> {}

impl<T> NumberedPageOf<T> for NumberedPage<T> {}

/// Rows that are read as what they hold.
fn whole<Out: FromRows<Item: DeserializeOwned>>(query: &'static str, rows: &[Row<'_>]) -> Result<Out> {
    Out::from_rows::<Out::Item>(query, rows, |row| row)
}

/// Rows that are made of their fields.
fn made<F: FieldList, Out: FromRows>(query: &'static str, rows: &[Row<'_>], make: fn(F) -> Out::Item) -> Result<Out> {
    Out::from_rows::<Fields<F>>(query, rows, |row| make(row.0))
}

/// Rows, as many as there are.
#[doc(hidden)]
pub const fn many<T: DeserializeOwned, Out: Many<T>>() -> Decode<Out> {
    whole
}

/// Rows, as many as there are, of selected fields.
#[doc(hidden)]
pub const fn many_selected<S: Selection<Row: DeserializeOwned>, Out: Many<S::Row>>(_: &S) -> Decode<Out> {
    whole
}

/// Rows, as many as there are, each made of selected fields.
#[doc(hidden)]
pub fn many_made<T, F: FieldList, Out: Many<T>>(
    query: &'static str,
    rows: &[Row<'_>],
    make: fn(F) -> T,
) -> Result<Out> {
    made(query, rows, make)
}

/// At most one row.
#[doc(hidden)]
pub const fn at_most_one<T: DeserializeOwned, Out: AtMostOne<T>>() -> Decode<Out> {
    whole
}

/// At most one row, of selected fields.
#[doc(hidden)]
pub const fn at_most_one_selected<S: Selection<Row: DeserializeOwned>, Out: AtMostOne<S::Row>>(_: &S) -> Decode<Out> {
    whole
}

/// At most one row, each made of selected fields.
#[doc(hidden)]
pub fn at_most_one_made<T, F: FieldList, Out: AtMostOne<T>>(
    query: &'static str,
    rows: &[Row<'_>],
    make: fn(F) -> T,
) -> Result<Out> {
    made(query, rows, make)
}

/// A page of rows.
#[doc(hidden)]
pub const fn page<T: DeserializeOwned, Out: PageOf<T>>() -> Decode<Out> {
    whole
}

/// A page of rows, of selected fields.
#[doc(hidden)]
pub const fn page_selected<S: Selection<Row: DeserializeOwned>, Out: PageOf<S::Row>>(_: &S) -> Decode<Out> {
    whole
}

/// A page of rows, each made of selected fields.
#[doc(hidden)]
pub fn page_made<T, F: FieldList, Out: PageOf<T>>(
    query: &'static str,
    rows: &[Row<'_>],
    make: fn(F) -> T,
) -> Result<Out> {
    made(query, rows, make)
}

/// A page of rows with the number of all.
#[doc(hidden)]
pub const fn numbered_page<T: DeserializeOwned, Out: NumberedPageOf<T>>() -> Decode<Out> {
    whole
}

/// A page of rows with the number of all, of selected fields.
#[doc(hidden)]
pub const fn numbered_page_selected<S: Selection<Row: DeserializeOwned>, Out: NumberedPageOf<S::Row>>(
    _: &S,
) -> Decode<Out> {
    whole
}

/// A page of rows with the number of all, each made of selected fields.
#[doc(hidden)]
pub fn numbered_page_made<T, F: FieldList, Out: NumberedPageOf<T>>(
    query: &'static str,
    rows: &[Row<'_>],
    make: fn(F) -> T,
) -> Result<Out> {
    made(query, rows, make)
}

/// A number of rows.
#[doc(hidden)]
pub const fn count<Out: Count>() -> Decode<Out> {
    Out::from_row
}

/// Whether there is a row.
#[doc(hidden)]
pub const fn existence<Out: Existence>() -> Decode<Out> {
    Out::from_row
}
