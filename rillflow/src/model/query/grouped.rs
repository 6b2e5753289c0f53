//! Groups and distinct rows in queries written where they are used.

use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::condition::{Condition, Everything};
use super::find::{Definition, Find, Living, ROWS, Scope, Selected, as_of};
use super::group::{Group, GroupBy, check_groups, check_rows};
use super::logic::{And, and};
use super::order::{OrderBy, Unordered};
use super::path::Tag;
use super::result::{Decode, many};
use super::select::Selection;
use super::tree::{Rows, Statement};
use crate::model::{Document, SqlValue};

impl<D: Document, C: Condition<Root = D>, S: Scope> Find<D, C, Unordered<D>, S> {
    /// Groups of the documents that have the same values in these fields. The closures behind it take the group beside
    /// the document's fields: `|c, g| ..`.
    pub fn group_by<K: GroupBy<Root = D>>(self, keys: impl FnOnce(D::Paths) -> K) -> Grouped<D, C, S, K> {
        keys(D::PATHS);
        Grouped { find: self, having: Everything::NEW, order: Unordered::NEW, limit: 0, offset: 0, marker: PhantomData }
    }
}

/// A query for groups of documents, as yet without saying what each gives.
#[must_use = "`select` says what each group gives"]
pub struct Grouped<
    D,
    C = Everything<D>,
    S = Living,
    K = (),
    H = Everything<D>,
    O = Unordered<D>,
    const LIMIT: bool = false,
    const OFFSET: bool = false,
> {
    find: Find<D, C, Unordered<D>, S>,
    having: H,
    order: O,
    limit: i64,
    offset: i64,
    marker: Tag<K>,
}

impl<D, C, S, K, H, O, const LIMIT: bool, const OFFSET: bool> fmt::Debug for Grouped<D, C, S, K, H, O, LIMIT, OFFSET>
where
    D: Document,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Grouped").field(&self.find).finish()
    }
}

impl<D, C, S, K, H, O, const LIMIT: bool, const OFFSET: bool> Grouped<D, C, S, K, H, O, LIMIT, OFFSET>
where
    D: Document,
    H: Condition<Root = D>,
{
    fn with<M, Z, const L: bool, const F: bool>(
        self,
        having: impl FnOnce(H) -> M,
        order: impl FnOnce(O) -> Z,
    ) -> Grouped<D, C, S, K, M, Z, L, F> {
        let Self { find, limit, offset, .. } = self;
        Grouped { find, having: having(self.having), order: order(self.order), limit, offset, marker: PhantomData }
    }

    /// Only groups that fulfil the condition, and those before it.
    pub fn having<M: Condition<Root = D>>(
        self,
        condition: impl FnOnce(D::Paths, Group<D>) -> M,
    ) -> Grouped<D, C, S, K, And<H, M>, O, LIMIT, OFFSET> {
        self.with(|having| and(having, condition(D::PATHS, Group::NEW)), |order| order)
    }

    /// In this order, whatever order was asked for before.
    pub fn order_by<Z: OrderBy<Root = D>>(
        self,
        order: impl FnOnce(D::Paths, Group<D>) -> Z,
    ) -> Grouped<D, C, S, K, H, Z, LIMIT, OFFSET> {
        self.with(|having| having, |_| order(D::PATHS, Group::NEW))
    }

    /// At most so many groups.
    pub fn limit(self, limit: i64) -> Grouped<D, C, S, K, H, O, true, OFFSET> {
        Self { limit, ..self }.with(|having| having, |order| order)
    }

    /// Passes over so many groups first.
    pub fn offset(self, offset: i64) -> Grouped<D, C, S, K, H, O, LIMIT, true> {
        Self { offset, ..self }.with(|having| having, |order| order)
    }

    /// What each group gives: keys, and what is made of the other fields.
    pub fn select<F: Selection<Root = D>>(self, selection: impl FnOnce(D::Paths, Group<D>) -> F) -> GroupRows<Self, F> {
        GroupRows(self, selection(D::PATHS, Group::NEW))
    }
}

/// A query for one row per group.
#[derive(Debug)]
pub struct GroupRows<G, S>(G, S);

impl<D, C, S, K, H, O, F, const LIMIT: bool, const OFFSET: bool> Definition
    for GroupRows<Grouped<D, C, S, K, H, O, LIMIT, OFFSET>, F>
where
    D: Document,
    C: Condition<Root = D>,
    S: Scope,
    K: GroupBy<Root = D>,
    H: Condition<Root = D>,
    O: OrderBy<Root = D>,
    F: Selection<Root = D, Row: DeserializeOwned>,
{
    type Row = F::Row;
    type Out = Vec<F::Row>;
    type Next = Self;
    const NAME: &'static str = D::COLLECTION.name;
    const STATEMENT: Statement = {
        let statement = Statement {
            output: F::OUTPUT,
            rows: Rows::Groups(K::KEYS, H::NODE),
            order: O::KEYS,
            limit: if LIMIT { Some(ROWS) } else { None },
            offset: if OFFSET { Some(ROWS) } else { None },
            ..<Find<D, C, Unordered<D>, S> as Definition>::STATEMENT
        };
        check_groups(D::COLLECTION.type_name, &statement);
        check_rows(Self::NAME, &statement);
        statement
    };
    const DECODE: Decode<Self::Out> = many::<F::Row, Self::Out>();

    fn bind_filter(&self, binds: &mut Vec<SqlValue>) {
        self.0.find.bind_filter(binds);
        self.0.having.bind(binds);
    }
    fn bind_range(&self, binds: &mut Vec<SqlValue>) {
        binds.extend(LIMIT.then_some(SqlValue::Int(self.0.limit)));
        binds.extend(OFFSET.then_some(SqlValue::Int(self.0.offset)));
    }
}

impl<F, S> Selected<F, S> {
    /// Each row once, however many documents give it. It is sorted, if at all, by what was selected.
    pub fn distinct(self) -> Distinct<Self> {
        Distinct(self)
    }
}

/// A query for rows that differ from each other.
#[derive(Debug)]
pub struct Distinct<F>(F);

impl<F: Definition> Definition for Distinct<F>
where
    F::Row: DeserializeOwned,
{
    type Row = F::Row;
    type Out = Vec<F::Row>;
    type Next = Self;
    const NAME: &'static str = F::NAME;
    const STATEMENT: Statement = {
        let statement = Statement { rows: Rows::Distinct, ..F::STATEMENT };
        check_rows(F::NAME, &statement);
        statement
    };
    const DECODE: Decode<Self::Out> = many::<F::Row, Self::Out>();

    fn bind_output(&self, binds: &mut Vec<SqlValue>) {
        self.0.bind_output(binds);
    }
    as_of!(0);
}
