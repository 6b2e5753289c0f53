//! Queries written where they are used: `Customer::query().filter(|c| c.email.eq(mail))`.

use std::fmt;
use std::marker::PhantomData;

use super::condition::{And, Condition, Everything};
use super::operand::Value;
use super::order::{OrderBy, Unordered};
use super::path::Tag;
use super::select::{AtMostOne, Decode, Many, Selection, at_most_one, count, existence, many};
use super::tree::{Operand, Output, Statement};
use crate::model::{Document, SqlValue};

/// A query over one collection, as yet without saying what it gives back: as it stands, all documents found.
///
/// Its text is a const of its type, so that building one writes no SQL: only its values are put together at run time.
///
/// # Example
///
/// ```
/// use rillflow::{Document, Query};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Document)]
/// struct Note {
///     #[document(id)]
///     id: i64,
///     #[document(index)]
///     title: String,
/// }
///
/// let found = Note::query().filter(|n| n.title.eq("milk")).order_by(|n| n.id.desc()).limit(3);
/// assert_eq!(
///     found.sql(),
///     "SELECT doc FROM public.docs_notes WHERE (doc->>'title') = $1::text AND deleted_at IS NULL ORDER BY id DESC LIMIT $2::bigint",
/// );
/// ```
pub struct Find<D, C = Everything<D>, O = Unordered<D>, const LIMIT: bool = false, const OFFSET: bool = false> {
    condition: C,
    limit: i64,
    offset: i64,
    marker: Tag<(D, O)>,
}

impl<D: Document> Find<D> {
    /// All documents of the collection.
    #[must_use]
    pub const fn new() -> Self {
        Find { condition: Everything::NEW, limit: 0, offset: 0, marker: PhantomData }
    }
}

impl<D: Document> Default for Find<D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D, C, O, const LIMIT: bool, const OFFSET: bool> Find<D, C, O, LIMIT, OFFSET>
where
    D: Document,
    C: Condition<Root = D>,
    O: OrderBy<Root = D>,
{
    /// Only documents that fulfil the condition, and those before it.
    pub fn filter<F: Condition<Root = D>>(
        self,
        condition: impl FnOnce(D::Paths) -> F,
    ) -> Find<D, And<C, F>, O, LIMIT, OFFSET> {
        let condition = super::condition::and(self.condition, condition(D::PATHS));
        Find { condition, limit: self.limit, offset: self.offset, marker: PhantomData }
    }

    /// In this order, whatever order was asked for before.
    pub fn order_by<K: OrderBy<Root = D>>(self, order: impl FnOnce(D::Paths) -> K) -> Find<D, C, K, LIMIT, OFFSET> {
        order(D::PATHS);
        Find { condition: self.condition, limit: self.limit, offset: self.offset, marker: PhantomData }
    }

    /// At most so many rows.
    pub fn limit(self, limit: i64) -> Find<D, C, O, true, OFFSET> {
        Find { condition: self.condition, limit, offset: self.offset, marker: PhantomData }
    }

    /// Passes over so many rows first.
    pub fn offset(self, offset: i64) -> Find<D, C, O, LIMIT, true> {
        Find { condition: self.condition, limit: self.limit, offset, marker: PhantomData }
    }

    /// The document if there is one; more than one is [`Error::NotUnique`](crate::Error::NotUnique).
    pub fn one(self) -> One<Self> {
        One(self)
    }

    /// Fields instead of documents.
    pub fn select<S: Selection<Root = D>>(self, selection: impl FnOnce(D::Paths) -> S) -> Selected<Self, S> {
        selection(D::PATHS);
        Selected(self, PhantomData)
    }
}

impl<D, C, O> Find<D, C, O>
where
    D: Document,
    C: Condition<Root = D>,
    O: OrderBy<Root = D>,
{
    /// How many documents there are.
    pub fn count(self) -> Counted<Self> {
        Counted(self)
    }

    /// Whether there is one.
    pub fn exists(self) -> Exists<Self> {
        Exists(self)
    }
}

impl<D: Document, C, O, const LIMIT: bool, const OFFSET: bool> fmt::Debug for Find<D, C, O, LIMIT, OFFSET> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Find({})", D::COLLECTION.name)
    }
}

/// A query for one document.
#[derive(Debug)]
pub struct One<F>(F);

/// A query for the number of documents.
#[derive(Debug)]
pub struct Counted<F>(F);

/// A query for whether there is a document.
#[derive(Debug)]
pub struct Exists<F>(F);

/// A query for fields.
#[derive(Debug)]
pub struct Selected<F, S>(F, Tag<S>);

impl<F, S> Selected<F, S> {
    /// The row if there is one; more than one is [`Error::NotUnique`](crate::Error::NotUnique).
    pub fn one(self) -> One<Self> {
        One(self)
    }
}

/// What a query written in place means: its tree is a const of its type. The renderer makes its text.
#[doc(hidden)]
pub trait Definition: Send + Sync {
    /// One row.
    type Row: 'static;
    /// The result.
    type Out: 'static;
    /// How errors name it.
    const NAME: &'static str;
    /// Its tree.
    const STATEMENT: Statement;
    /// How rows become the result.
    const DECODE: Decode<Self::Out>;
    /// Adds its values to the parameters.
    fn bind(&self, binds: &mut Vec<SqlValue>);
}

impl<D, C, O, const LIMIT: bool, const OFFSET: bool> Definition for Find<D, C, O, LIMIT, OFFSET>
where
    D: Document,
    C: Condition<Root = D>,
    O: OrderBy<Root = D>,
{
    type Row = D;
    type Out = Vec<D>;
    const NAME: &'static str = D::COLLECTION.name;
    const STATEMENT: Statement = Statement {
        table: D::COLLECTION.table,
        output: Output::Document,
        filter: C::NODE,
        order: O::KEYS,
        limit: if LIMIT { Some(ROWS) } else { None },
        offset: if OFFSET { Some(ROWS) } else { None },
        one: false,
    };
    const DECODE: Decode<Vec<D>> = many::<D, Vec<D>>();

    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.condition.bind(binds);
        binds.extend(LIMIT.then_some(SqlValue::Int(self.limit)));
        binds.extend(OFFSET.then_some(SqlValue::Int(self.offset)));
    }
}

const ROWS: Operand = <i64 as Value>::OPERAND;

impl<F: Definition> Definition for One<F>
where
    Option<F::Row>: AtMostOne<F::Row>,
{
    type Row = F::Row;
    type Out = Option<F::Row>;
    const NAME: &'static str = F::NAME;
    const STATEMENT: Statement = Statement { one: true, ..F::STATEMENT };
    const DECODE: Decode<Self::Out> = at_most_one::<F::Row, Self::Out>();

    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.0.bind(binds);
    }
}

impl<F: Definition> Definition for Counted<F> {
    type Row = i64;
    type Out = i64;
    const NAME: &'static str = F::NAME;
    const STATEMENT: Statement = Statement { output: Output::Count, ..F::STATEMENT };
    const DECODE: Decode<i64> = count::<i64>();

    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.0.bind(binds);
    }
}

impl<F: Definition> Definition for Exists<F> {
    type Row = bool;
    type Out = bool;
    const NAME: &'static str = F::NAME;
    const STATEMENT: Statement = Statement { output: Output::Exists, ..F::STATEMENT };
    const DECODE: Decode<bool> = existence::<bool>();

    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.0.bind(binds);
    }
}

impl<F: Definition, S: Selection> Definition for Selected<F, S>
where
    Vec<S::Row>: Many<S::Row>,
{
    type Row = S::Row;
    type Out = Vec<S::Row>;
    const NAME: &'static str = F::NAME;
    const STATEMENT: Statement = Statement { output: S::OUTPUT, ..F::STATEMENT };
    const DECODE: Decode<Self::Out> = many::<S::Row, Self::Out>();

    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.0.bind(binds);
    }
}
