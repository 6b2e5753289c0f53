//! What a query gives back: fields instead of documents, and which Rust types the result may have.

use serde::de::DeserializeOwned;

use super::paging::{NumberedPage, Page};
use super::path::{Column, Path};
use super::row::{FromRows, Row};
use super::tree::{Output, PathInfo};
use crate::Result;

/// Fields to give back instead of the document: one, or a tuple of them.
#[diagnostic::on_unimplemented(
    message = "this cannot be selected",
    label = "expected a field, a tuple of fields, or a struct of fields"
)]
pub trait Selection {
    /// What the fields belong to.
    type Root;
    /// The Rust type of one row.
    type Row: 'static;
    /// What the statement gives back.
    #[doc(hidden)]
    const OUTPUT: Output;
}

impl<P: Path> Selection for Column<P> {
    type Root = P::Root;
    type Row = P::Value;
    const OUTPUT: Output = Output::Value(P::INFO);
}

macro_rules! tuples {
    ($([$($path:ident)*])*) => { $(
        impl<R, $($path: Path<Root = R>),*> Selection for ($(Column<$path>,)*) {
            type Root = R;
            type Row = ($($path::Value,)*);
            const OUTPUT: Output = Output::Tuple(&[$($path::INFO),*]);
        }
    )* };
}
tuples!([A] [A B] [A B C] [A B C D] [A B C D E] [A B C D E F] [A B C D E F G] [A B C D E F G H]);

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

/// A value of the field's type: for code that is checked and never run.
#[doc(hidden)]
pub fn value_of<P: Path>(_: Column<P>) -> P::Value {
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
pub trait Many<T>: FromRows {}
impl<T: DeserializeOwned> Many<T> for Vec<T> {}

/// The result of a query with `one` or `first`.
#[diagnostic::on_unimplemented(
    message = "this query gives at most one row: `Option<{T}>`, not `{Self}`",
    label = "expected `Option<{T}>`"
)]
#[doc(hidden)]
pub trait AtMostOne<T>: FromRows {}
impl<T: DeserializeOwned> AtMostOne<T> for Option<T> {}

/// The result of a query with `count`.
#[diagnostic::on_unimplemented(
    message = "this query ends in `.count()` and gives `i64`, not `{Self}`",
    label = "expected `i64`"
)]
#[doc(hidden)]
pub trait Count: FromRows {}
impl Count for i64 {}

/// The result of a query with `exists`.
#[diagnostic::on_unimplemented(
    message = "this query ends in `.exists()` and gives `bool`, not `{Self}`",
    label = "expected `bool`"
)]
#[doc(hidden)]
pub trait Existence: FromRows {}
impl Existence for bool {}

/// The result of a query with `page`.
#[diagnostic::on_unimplemented(
    message = "this query ends in `.page(..)` and gives `Page<{T}>`, not `{Self}`",
    label = "expected `Page<{T}>`"
)]
#[doc(hidden)]
pub trait PageOf<T>: FromRows {}
impl<T: DeserializeOwned> PageOf<T> for Page<T> {}

/// The result of a query with `numbered_page`.
#[diagnostic::on_unimplemented(
    message = "this query ends in `.numbered_page(..)` and gives `NumberedPage<{T}>`, not `{Self}`",
    label = "expected `NumberedPage<{T}>`"
)]
#[doc(hidden)]
pub trait NumberedPageOf<T>: FromRows {}
impl<T: DeserializeOwned> NumberedPageOf<T> for NumberedPage<T> {}

/// Rows of `T`, as many as there are.
#[doc(hidden)]
pub const fn many<T, Out: Many<T>>() -> Decode<Out> {
    Out::from_rows
}

/// At most one row of `T`.
#[doc(hidden)]
pub const fn at_most_one<T, Out: AtMostOne<T>>() -> Decode<Out> {
    Out::from_rows
}

/// Rows of selected fields, as many as there are.
#[doc(hidden)]
pub const fn many_selected<S: Selection, Out: Many<S::Row>>(_: &S) -> Decode<Out> {
    Out::from_rows
}

/// At most one row of selected fields.
#[doc(hidden)]
pub const fn at_most_one_selected<S: Selection, Out: AtMostOne<S::Row>>(_: &S) -> Decode<Out> {
    Out::from_rows
}

/// A page of `T`.
#[doc(hidden)]
pub const fn page<T, Out: PageOf<T>>() -> Decode<Out> {
    Out::from_rows
}

/// A page of selected fields.
#[doc(hidden)]
pub const fn page_selected<S: Selection, Out: PageOf<S::Row>>(_: &S) -> Decode<Out> {
    Out::from_rows
}

/// A page of `T` with the number of all.
#[doc(hidden)]
pub const fn numbered_page<T, Out: NumberedPageOf<T>>() -> Decode<Out> {
    Out::from_rows
}

/// A page of selected fields with the number of all.
#[doc(hidden)]
pub const fn numbered_page_selected<S: Selection, Out: NumberedPageOf<S::Row>>(_: &S) -> Decode<Out> {
    Out::from_rows
}

/// A number of rows.
#[doc(hidden)]
pub const fn count<Out: Count>() -> Decode<Out> {
    Out::from_rows
}

/// Whether there is a row.
#[doc(hidden)]
pub const fn existence<Out: Existence>() -> Decode<Out> {
    Out::from_rows
}
