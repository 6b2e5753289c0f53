//! What ends a query written where it is used: one row, a page, a number.

use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::aggregate::{Aggregating, Max, Mean, Min, Numeric, Sum, SumOf, aggregate_of};
use super::capability::Orderable;
use super::condition::Condition;
use super::find::{Definition, Find, ROWS, Scope, Selected, as_of};
use super::grouped::{Distinct, GroupRows, Grouped};
use super::order::OrderBy;
use super::paging::{After, Cursor, NumberedPage, Page};
use super::path::{Column, Path, ScalarOf, Tag};
use super::related::WithRelated;
use super::result::{Decode, at_most_one, count, existence, numbered_page, page};
use super::tree::{Arity, Operand, Output, Statement, Take};
use crate::model::{Document, SqlType, SqlValue};

impl<D, C, O, S, const LIMIT: bool, const OFFSET: bool> Find<D, C, O, S, LIMIT, OFFSET>
where
    D: Document,
    C: Condition<Root = D>,
    O: OrderBy<Root = D>,
    S: Scope,
{
    /// The document if there is one; more than one is [`Error::NotUnique`](crate::Error::NotUnique).
    pub fn one(self) -> One<Self> {
        One(self)
    }
}

impl<D, C, O, S, const OFFSET: bool> Find<D, C, O, S, false, OFFSET>
where
    D: Document,
    C: Condition<Root = D>,
    O: OrderBy<Root = D>,
    S: Scope,
{
    /// The first document in the order, or any one without an order.
    pub fn first(self) -> First<Self> {
        First(self)
    }
}

impl<D, C, O, S> Find<D, C, O, S>
where
    D: Document,
    C: Condition<Root = D>,
    O: OrderBy<Root = D>,
    S: Scope,
{
    /// How many documents there are.
    pub fn count(self) -> Counted<Self> {
        Counted(self)
    }

    /// Whether there is one.
    pub fn exists(self) -> Exists<Self> {
        Exists(self)
    }

    /// At most `size` documents that come after the cursor, or the first ones without a cursor.
    ///
    /// However far a page is, it costs the same, unless the first key of the order may be missing: then PostgreSQL passes
    /// over what is before it in the index. What is written meanwhile moves nothing: no document is seen twice or
    /// left out unless its own place in the order changes. The id ends the order, so that equal keys do no harm.
    pub fn page(self, after: impl After, size: i64) -> Paged<Self> {
        Paged::new(self, after, size)
    }

    /// The page of this number, from 1, and how many documents there are in all; one statement gives both.
    ///
    /// It counts all documents found, and passes over those of earlier pages one by one: [`page`](Self::page) does not.
    pub fn numbered_page(self, number: i64, size: i64) -> NumberedPaged<Self> {
        NumberedPaged::new(self, number, size)
    }

    /// The least value of a field.
    pub fn min<P: Path<Root = D>>(
        self,
        field: impl FnOnce(D::Paths) -> Column<P>,
    ) -> Aggregated<Self, P, Min<ScalarOf<P>>>
    where
        P::Value: Orderable,
    {
        Aggregated::new(self, field(D::PATHS))
    }

    /// The greatest value of a field.
    pub fn max<P: Path<Root = D>>(
        self,
        field: impl FnOnce(D::Paths) -> Column<P>,
    ) -> Aggregated<Self, P, Max<ScalarOf<P>>>
    where
        P::Value: Orderable,
    {
        Aggregated::new(self, field(D::PATHS))
    }

    /// The sum of a field's values, as `f64` or `i64`.
    pub fn sum<P: Path<Root = D>>(self, field: impl FnOnce(D::Paths) -> Column<P>) -> Aggregated<Self, P, Sum<SumOf<P>>>
    where
        P::Value: Numeric,
    {
        Aggregated::new(self, field(D::PATHS))
    }

    /// The mean of a field's values.
    pub fn avg<P: Path<Root = D>>(self, field: impl FnOnce(D::Paths) -> Column<P>) -> Aggregated<Self, P, Mean<f64>>
    where
        P::Value: Numeric,
    {
        Aggregated::new(self, field(D::PATHS))
    }
}

/// The ends of queries for something else than documents.
macro_rules! ends_of {
    (one: $([$($one:tt)*] $of_one:ty;)* first: $([$($first:tt)*] $of_first:ty;)* pages: $([$($page:tt)*] $of_page:ty;)*) => {
        $(impl<$($one)*> $of_one {
            /// The row if there is one; more than one is [`Error::NotUnique`](crate::Error::NotUnique).
            pub fn one(self) -> One<Self> {
                One(self)
            }
        })*
        $(impl<$($first)*> $of_first {
            /// The first row in the order, or any one without an order.
            pub fn first(self) -> First<Self> {
                First(self)
            }
        })*
        $(impl<$($page)*> $of_page {
            /// At most `size` rows that come after the cursor: as [`Find::page`].
            pub fn page(self, after: impl After, size: i64) -> Paged<Self> {
                Paged::new(self, after, size)
            }

            /// The page of this number, and how many rows there are in all: as [`Find::numbered_page`].
            pub fn numbered_page(self, number: i64, size: i64) -> NumberedPaged<Self> {
                NumberedPaged::new(self, number, size)
            }
        }
        impl<$($page)*> Unranged for $of_page {})*
    };
}

ends_of! {
    one:
    [F, S] Selected<F, S>;
    [F, R] WithRelated<F, R>;
    [G, S] GroupRows<G, S>;
    [F] Distinct<F>;
    first:
    [D, C, O, Z, S, const OFFSET: bool] Selected<Find<D, C, O, Z, false, OFFSET>, S>;
    [D, C, O, Z, R, const OFFSET: bool] WithRelated<Find<D, C, O, Z, false, OFFSET>, R>;
    [D, C, S, K, H, O, F, const OFFSET: bool] GroupRows<Grouped<D, C, S, K, H, O, false, OFFSET>, F>;
    [D, C, O, Z, S, const OFFSET: bool] Distinct<Selected<Find<D, C, O, Z, false, OFFSET>, S>>;
    pages:
    [D, C, O, Z, S] Selected<Find<D, C, O, Z>, S>;
    [D, C, O, Z, R] WithRelated<Find<D, C, O, Z>, R>;
    [D, C, S, K, H, O, F] GroupRows<Grouped<D, C, S, K, H, O>, F>;
    [D, C, O, Z, S] Distinct<Selected<Find<D, C, O, Z>, S>>;
}

/// A query without `limit` and `offset`.
#[diagnostic::on_unimplemented(
    message = "a page, or the first row, says which rows: remove `limit` and `offset`",
    label = "this query has a range of its own"
)]
#[doc(hidden)]
pub trait Unranged {}

/// A query for one document.
#[derive(Debug)]
pub struct One<F>(pub(crate) F);

/// A query for the first document.
#[derive(Debug)]
pub struct First<F>(pub(crate) F);

/// A query for the number of documents.
#[derive(Debug)]
pub struct Counted<F>(F);

/// A query for whether there is a document.
#[derive(Debug)]
pub struct Exists<F>(F);

/// The values of which parts of the query go with it.
macro_rules! binds {
    (all) => {
        fn bind_output(&self, binds: &mut Vec<SqlValue>) {
            self.0.bind_output(binds);
        }
        as_of!(0);
    };
    (filter) => {
        fn bind_filter(&self, binds: &mut Vec<SqlValue>) {
            self.0.bind_filter(binds);
        }
    };
}

/// Queries that are another one with a different ending.
macro_rules! endings {
    ($($ending:ident: $row:ty => $out:ty, $field:ident = $value:expr, $decode:expr, binds $parts:tt;)*) => { $(
        impl<F: Definition> Definition for $ending<F>
        where
            F::Row: DeserializeOwned,
        {
            type Row = $row;
            type Out = $out;
            type Next = Self;
            const NAME: &'static str = F::NAME;
            const STATEMENT: Statement = Statement { $field: $value, ..F::STATEMENT };
            const DECODE: Decode<Self::Out> = $decode;
            binds!($parts);
        }
    )* };
}

endings! {
    One: F::Row => Option<F::Row>, take = Take::One, at_most_one::<F::Row, Self::Out>(), binds all;
    First: F::Row => Option<F::Row>, take = Take::First, at_most_one::<F::Row, Self::Out>(), binds all;
    Counted: i64 => i64, output = Output::Count, count::<i64>(), binds filter;
    Exists: bool => bool, output = Output::Exists, existence::<bool>(), binds filter;
}

/// A query for the least, greatest, sum or mean of a field.
pub struct Aggregated<F, P, A> {
    find: F,
    marker: Tag<(P, A)>,
}

impl<F: fmt::Debug, P, A> fmt::Debug for Aggregated<F, P, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Aggregated").field(&self.find).finish()
    }
}

impl<F> Paged<F> {
    pub(crate) fn new(find: F, after: impl After, size: i64) -> Self {
        Self { find, after: after.cursor(), size }
    }
}

impl<F> NumberedPaged<F> {
    pub(crate) fn new(find: F, number: i64, size: i64) -> Self {
        Self { find, number, size }
    }
}

impl<F, P, A> Aggregated<F, P, A> {
    fn new(find: F, _: Column<P>) -> Self {
        Self { find, marker: PhantomData }
    }
}

impl<F, P, A> Definition for Aggregated<F, P, A>
where
    F: Definition,
    P: Path,
    A: Aggregating,
    A::Value: DeserializeOwned + 'static,
{
    type Row = A::Value;
    type Out = Option<A::Value>;
    type Next = Self;
    const NAME: &'static str = F::NAME;
    const STATEMENT: Statement = Statement { output: Output::OfAll(A::AGGREGATION, P::INFO), ..F::STATEMENT };
    const DECODE: Decode<Self::Out> = aggregate_of::<A::Value, Self::Out>();

    fn bind_filter(&self, binds: &mut Vec<SqlValue>) {
        self.find.bind_filter(binds);
    }
}

/// A query for a page after a cursor.
#[derive(Debug)]
pub struct Paged<F> {
    find: F,
    after: Option<Cursor>,
    size: i64,
}

/// The text of a page that is not the first one.
#[derive(Debug)]
pub struct NextPage<F>(Tag<F>);

impl<F: Definition> Definition for Paged<F>
where
    F::Row: DeserializeOwned,
{
    type Row = F::Row;
    type Out = Page<F::Row>;
    type Next = NextPage<F>;
    const NAME: &'static str = F::NAME;
    const STATEMENT: Statement = Statement { take: Take::Page(None), limit: Some(ROWS), ..F::STATEMENT };
    const DECODE: Decode<Self::Out> = page::<F::Row, Self::Out>();

    fn after(&self) -> Option<&Cursor> {
        self.after.as_ref()
    }
    fn bind_filter(&self, binds: &mut Vec<SqlValue>) {
        self.find.bind_filter(binds);
    }
    /// Its keys stand in the rows too, before the condition.
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        binds.push(SqlValue::Int(self.size));
        binds.extend(self.after.as_ref().map(|cursor| SqlValue::Json(cursor.json().to_owned())));
        self.find.bind_output(binds);
        self.find.bind_order(binds);
        self.find.bind_filter(binds);
    }
}

impl<F: Definition> Definition for NextPage<F>
where
    F::Row: DeserializeOwned,
{
    type Row = F::Row;
    type Out = Page<F::Row>;
    type Next = Self;
    const NAME: &'static str = F::NAME;
    const STATEMENT: Statement = Statement { take: Take::Page(Some(AFTER)), ..Paged::<F>::STATEMENT };
    const DECODE: Decode<Self::Out> = Paged::<F>::DECODE;

    fn bind_filter(&self, _: &mut Vec<SqlValue>) {}
}

const AFTER: Operand = Operand::Next(SqlType::Json, Arity::One);

/// A query for the page of a number.
#[derive(Debug)]
pub struct NumberedPaged<F> {
    find: F,
    number: i64,
    size: i64,
}

impl<F: Definition> Definition for NumberedPaged<F>
where
    F::Row: DeserializeOwned,
{
    type Row = F::Row;
    type Out = NumberedPage<F::Row>;
    type Next = Self;
    const NAME: &'static str = F::NAME;
    const STATEMENT: Statement = Statement { take: Take::NumberedPage(ROWS), limit: Some(ROWS), ..F::STATEMENT };
    const DECODE: Decode<Self::Out> = numbered_page::<F::Row, Self::Out>();

    fn bind_filter(&self, binds: &mut Vec<SqlValue>) {
        self.find.bind_filter(binds);
    }
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        binds.extend([SqlValue::Int(self.size), SqlValue::Int(self.number)]);
        self.find.bind_output(binds);
        self.find.bind_filter(binds);
        self.find.bind_order(binds);
    }
}
