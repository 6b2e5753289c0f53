//! What a query gives back: fields instead of documents, and which Rust types the result may have.

use serde::de::DeserializeOwned;

use super::entry::Entry;
use super::fields::{FieldList, Fields};
use super::paging::{NumberedPage, Page};
use super::path::{Column, Map, Path};
use super::presence::InRow;
use super::row::{FromRow, FromRows, Row};
use super::tree::{Output, PathInfo};
use crate::Result;
use crate::model::SqlValue;

/// Fields to give back instead of the document: one, or a tuple of them.
#[diagnostic::on_unimplemented(
    message = "this cannot be selected",
    label = "expected a field, a tuple of fields, or a struct of fields"
)]
pub trait Selection: Send + Sync {
    /// What the fields belong to.
    type Root;
    /// The Rust type of one row.
    type Row: 'static;
    /// What the statement gives back.
    #[doc(hidden)]
    const OUTPUT: Output;
    /// Adds its values to the parameters.
    #[doc(hidden)]
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

/// One field of a selection.
#[diagnostic::on_unimplemented(
    message = "this cannot be selected",
    label = "expected a field, a tuple of fields, or a struct of fields"
)]
#[doc(hidden)]
pub trait SelectedField: Send + Sync {
    /// What it belongs to.
    type Root;
    /// What it is in a row.
    type Value: 'static;
    /// Where it is.
    const INFO: &'static PathInfo;
    /// Adds its values to the parameters.
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

impl<P: Path> SelectedField for Column<P> {
    type Root = P::Root;
    type Value = InRow<P>;
    const INFO: &'static PathInfo = P::INFO;
}

impl<P: Path> Selection for Column<P> {
    type Root = P::Root;
    type Row = InRow<P>;
    const OUTPUT: Output = Output::Value(P::INFO);
}

impl<P: Path> Selection for Entry<P>
where
    P::Value: Map,
{
    type Root = P::Root;
    type Row = <Self as SelectedField>::Value;
    const OUTPUT: Output = Output::Value(<Self as SelectedField>::INFO);
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        SelectedField::bind(self, binds);
    }
}

macro_rules! tuples {
    ($([$($field:ident $at:tt)*])*) => { $(
        impl<R, $($field: SelectedField<Root = R>),*> Selection for ($($field,)*) {
            type Root = R;
            type Row = ($($field::Value,)*);
            const OUTPUT: Output = Output::Tuple(&[$($field::INFO),*]);
            fn bind(&self, binds: &mut Vec<SqlValue>) {
                $(self.$at.bind(binds);)*
            }
        }
    )* };
}
tuples!(
    [A 0]
    [A 0 B 1]
    [A 0 B 1 C 2]
    [A 0 B 1 C 2 D 3]
    [A 0 B 1 C 2 D 3 E 4]
    [A 0 B 1 C 2 D 3 E 4 F 5]
    [A 0 B 1 C 2 D 3 E 4 F 5 G 6]
    [A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7]
);

/// The output of a selection.
#[doc(hidden)]
pub const fn output_of<S: Selection>(_: &S) -> Output {
    S::OUTPUT
}

/// A field's path, to select it under a name.
#[doc(hidden)]
pub const fn field_of<P: Path>(_: Column<P>) -> &'static PathInfo {
    P::INFO
}

/// A value as rows hold it: for code that is checked and never run.
#[doc(hidden)]
pub fn value_of<P: Path>(_: Column<P>) -> InRow<P> {
    unreachable!("only its type is looked at")
}

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
