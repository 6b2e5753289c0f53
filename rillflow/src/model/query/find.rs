//! Queries written where they are used: `Customer::query().filter(|c| c.email.eq(mail))`.

use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::condition::{Condition, Everything, Given};
use super::coverage::check_rank;
use super::logic::And;
use super::operand::{Perhaps, Value};
use super::order::{OrderBy, Unordered};
use super::paging::Cursor;
use super::path::Tag;
use super::result::{Decode, many};
use super::select::Selection;
use super::tree::{Deleted, Operand, Output, Rows, Statement, Take};
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
pub struct Find<
    D,
    C = Everything<D>,
    O = Unordered<D>,
    S = Living,
    const LIMIT: bool = false,
    const OFFSET: bool = false,
> {
    condition: C,
    order: O,
    limit: i64,
    offset: i64,
    marker: Tag<(D, S)>,
}

/// Which documents a query may find: what becomes of soft-deleted ones.
#[doc(hidden)]
pub trait Scope {
    /// What becomes of them.
    const DELETED: Deleted;
}

/// Soft-deleted documents are left out.
#[derive(Debug)]
pub struct Living;

/// Soft-deleted documents are found like others.
#[derive(Debug)]
pub struct Included;

/// Only soft-deleted documents are found.
#[derive(Debug)]
pub struct Only;

impl Scope for Living {
    const DELETED: Deleted = Deleted::Hidden;
}
impl Scope for Included {
    const DELETED: Deleted = Deleted::Included;
}
impl Scope for Only {
    const DELETED: Deleted = Deleted::Only;
}

impl<D: Document> Find<D> {
    /// All documents of the collection.
    #[must_use]
    pub const fn new() -> Self {
        Find { condition: Everything::NEW, order: Unordered::NEW, limit: 0, offset: 0, marker: PhantomData }
    }
}

impl<D: Document> Default for Find<D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D, C, O, S, const LIMIT: bool, const OFFSET: bool> Find<D, C, O, S, LIMIT, OFFSET>
where
    D: Document,
    C: Condition<Root = D>,
    O: OrderBy<Root = D>,
    S: Scope,
{
    fn with<Z, const L: bool, const F: bool>(self) -> Find<D, C, O, Z, L, F> {
        let Self { condition, order, limit, offset, .. } = self;
        Find { condition, order, limit, offset, marker: PhantomData }
    }

    fn and<F: Condition<Root = D>>(self, other: F) -> Find<D, And<C, F>, O, S, LIMIT, OFFSET> {
        let Self { condition, order, limit, offset, .. } = self;
        Find { condition: super::logic::and(condition, other), order, limit, offset, marker: PhantomData }
    }

    /// Only documents that fulfil the condition, and those before it.
    pub fn filter<F: Condition<Root = D>>(
        self,
        condition: impl FnOnce(D::Paths) -> F,
    ) -> Find<D, And<C, F>, O, S, LIMIT, OFFSET> {
        self.and(condition(D::PATHS))
    }

    /// As [`filter`](Self::filter) when the value is there; otherwise the condition is left out. The text is the same.
    pub fn filter_if<V: Value + Clone, F: Condition<Root = D>>(
        self,
        value: Option<V>,
        condition: impl FnOnce(D::Paths, Perhaps<V>) -> F,
    ) -> Find<D, And<C, Given<V, F>>, O, S, LIMIT, OFFSET> {
        let value = Perhaps(value);
        self.and(Given { condition: condition(D::PATHS, value.clone()), value })
    }

    /// In this order, whatever order was asked for before.
    pub fn order_by<K: OrderBy<Root = D>>(self, order: impl FnOnce(D::Paths) -> K) -> Find<D, C, K, S, LIMIT, OFFSET> {
        let Self { condition, limit, offset, .. } = self;
        Find { condition, order: order(D::PATHS), limit, offset, marker: PhantomData }
    }

    /// At most so many rows.
    pub fn limit(self, limit: i64) -> Find<D, C, O, S, true, OFFSET> {
        Self { limit, ..self }.with()
    }

    /// Passes over so many rows first.
    pub fn offset(self, offset: i64) -> Find<D, C, O, S, LIMIT, true> {
        Self { offset, ..self }.with()
    }

    /// Soft-deleted documents too.
    pub fn include_deleted(self) -> Find<D, C, O, Included, LIMIT, OFFSET> {
        self.with()
    }

    /// Soft-deleted documents alone.
    pub fn only_deleted(self) -> Find<D, C, O, Only, LIMIT, OFFSET> {
        self.with()
    }

    /// Fields instead of documents.
    pub fn select<F: Selection<Root = D>>(self, selection: impl FnOnce(D::Paths) -> F) -> Selected<Self, F> {
        Selected(self, selection(D::PATHS))
    }
}

impl<D: Document, C, O, S, const LIMIT: bool, const OFFSET: bool> fmt::Debug for Find<D, C, O, S, LIMIT, OFFSET> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Find({})", D::COLLECTION.name)
    }
}

/// A query for fields.
#[derive(Debug)]
pub struct Selected<F, S>(pub(super) F, pub(super) S);

/// A query of this part's documents, in the same order and range.
macro_rules! as_of {
    ($part:tt) => {
        fn bind_filter(&self, binds: &mut Vec<SqlValue>) {
            self.$part.bind_filter(binds);
        }
        fn bind_order(&self, binds: &mut Vec<SqlValue>) {
            self.$part.bind_order(binds);
        }
        fn bind_range(&self, binds: &mut Vec<SqlValue>) {
            self.$part.bind_range(binds);
        }
    };
}
pub(super) use as_of;

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
    /// What its text is made of when it goes on after a cursor: itself for all but pages.
    type Next: Definition<Out = Self::Out>;
    /// The cursor it goes on after.
    fn after(&self) -> Option<&Cursor> {
        None
    }
    /// Adds the values of what its rows hold.
    fn bind_output(&self, _: &mut Vec<SqlValue>) {}
    /// Adds the values of what chooses documents, and groups of them.
    fn bind_filter(&self, binds: &mut Vec<SqlValue>);
    /// Adds the values of its order.
    fn bind_order(&self, _: &mut Vec<SqlValue>) {}
    /// Adds the values of its limit and offset.
    fn bind_range(&self, _: &mut Vec<SqlValue>) {}
    /// Adds all its values to the parameters, in the order in which its text names them.
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.bind_output(binds);
        self.bind_filter(binds);
        self.bind_order(binds);
        self.bind_range(binds);
    }
}

impl<D, C, O, S, const LIMIT: bool, const OFFSET: bool> Definition for Find<D, C, O, S, LIMIT, OFFSET>
where
    D: Document,
    C: Condition<Root = D>,
    O: OrderBy<Root = D>,
    S: Scope,
{
    type Row = D;
    type Out = Vec<D>;
    type Next = Self;
    const NAME: &'static str = D::COLLECTION.name;
    const STATEMENT: Statement = Statement {
        table: D::COLLECTION.table,
        id_type: D::COLLECTION.id_type,
        output: Output::Document,
        related: &[],
        filter: {
            check_rank(C::NODE, O::KEYS);
            C::NODE
        },
        rows: Rows::Each,
        order: O::KEYS,
        limit: if LIMIT { Some(ROWS) } else { None },
        offset: if OFFSET { Some(ROWS) } else { None },
        take: Take::All,
        deleted: S::DELETED,
    };
    const DECODE: Decode<Vec<D>> = many::<D, Vec<D>>();

    fn bind_filter(&self, binds: &mut Vec<SqlValue>) {
        self.condition.bind(binds);
    }
    fn bind_order(&self, binds: &mut Vec<SqlValue>) {
        self.order.bind(binds);
    }
    fn bind_range(&self, binds: &mut Vec<SqlValue>) {
        binds.extend(LIMIT.then_some(SqlValue::Int(self.limit)));
        binds.extend(OFFSET.then_some(SqlValue::Int(self.offset)));
    }
}

pub(super) const ROWS: Operand = <i64 as Value>::OPERAND;

impl<F: Definition, S: Selection> Definition for Selected<F, S>
where
    S::Row: DeserializeOwned,
{
    type Row = S::Row;
    type Out = Vec<S::Row>;
    type Next = Self;
    const NAME: &'static str = F::NAME;
    const STATEMENT: Statement = Statement { output: S::OUTPUT, ..F::STATEMENT };
    const DECODE: Decode<Self::Out> = many::<S::Row, Self::Out>();

    fn bind_output(&self, binds: &mut Vec<SqlValue>) {
        self.1.bind(binds);
    }
    as_of!(0);
}
