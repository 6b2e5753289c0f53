//! Documents of another collection beside each one found.

use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::condition::Condition;
use super::coverage::begins_an_index;
use super::find::{Definition, Find, Scope, as_of};
use super::implied::Known;
use super::order::OrderBy;
use super::path::{Column, Path, ScalarOf, Tag};
use super::result::{Decode, many};
use super::text::Message;
use super::tree::{Arity, IndexDefinition, Node, Operand, Operator, Related, Statement};
use crate::model::{Document, SqlValue};

/// A value that identifies documents whose id is an `Id`.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` does not identify documents whose id is a `{Id}`",
    label = "expected a `{Id}`, found `{Self}`"
)]
#[doc(hidden)]
pub trait Identifies<Id> {}
impl<T> Identifies<T> for T {}

/// The one `R` whose id is in a field.
#[doc(hidden)]
pub const fn referred<R: Document, P: Path>(_: Column<P>) -> Related
where
    ScalarOf<P>: Identifies<R::Id>,
{
    Referred::<R, P>::RELATED
}

/// All `R` that hold the id of a `D` in a field.
#[doc(hidden)]
pub const fn referring<D: Document, R: Document, P: Path<Root = R>>(_: Column<P>) -> Related
where
    ScalarOf<P>: Identifies<D::Id>,
{
    Referring::<R, P>::RELATED
}

/// Fails to compile when no index finds the other documents by their key.
#[doc(hidden)]
#[track_caller]
pub const fn check_related(query: &str, document: &str, related: &Related, indexes: &[IndexDefinition]) {
    let condition = Node::Compare(related.key, Operator::Equal, Operand::Next(related.key.sql_type, Arity::One));
    if !begins_an_index(related.key, indexes, &Known::living(&condition)) {
        let message = Message::new()
            .text("compiled query `")
            .text(query)
            .text("` finds each `")
            .text(document)
            .text("` by `")
            .path(related.key)
            .text("`, which no declared index covers.\n  help: put `#[document(index(")
            .path(related.key)
            .text("))]` on the struct `")
            .text(document)
            .text("`, or accept a scan for each row with `#[compiled_query(allow(scan))]`");
        panic!("{}", message.as_str());
    }
}

/// Which other documents stand beside a `D`.
#[doc(hidden)]
pub trait Relation: 'static {
    /// What stands beside it.
    type Out: DeserializeOwned + 'static;
    /// How they are found.
    const RELATED: Related;
}

/// The one `R` whose id is at `P`.
pub struct Referred<R, P>(Tag<(R, P)>);

/// All `R` that hold the id of a `D` at `P`.
pub struct Referring<R, P>(Tag<(R, P)>);

impl<R: Document, P: Path> Relation for Referred<R, P> {
    type Out = Option<R>;
    const RELATED: Related = Related { table: R::COLLECTION.table, key: P::INFO, many: false };
}

impl<R: Document, P: Path> Relation for Referring<R, P> {
    type Out = Vec<R>;
    const RELATED: Related = Related { table: R::COLLECTION.table, key: P::INFO, many: true };
}

impl<D, C, O, S, const LIMIT: bool, const OFFSET: bool> Find<D, C, O, S, LIMIT, OFFSET>
where
    D: Document,
    C: Condition<Root = D>,
    O: OrderBy<Root = D>,
    S: Scope,
{
    /// Beside each document the one `R` whose id is in a field; none when there is none, or it is soft-deleted.
    pub fn include<R: Document, P: Path<Root = D>>(
        self,
        key: impl FnOnce(D::Paths) -> Column<P>,
    ) -> WithRelated<Self, (Referred<R, P>,)>
    where
        ScalarOf<P>: Identifies<R::Id>,
    {
        key(D::PATHS);
        WithRelated { find: self, relations: PhantomData }
    }

    /// Beside each document all `R`, by their id, that hold its id in a field; soft-deleted ones are left out.
    pub fn include_many<R: Document, P: Path<Root = R>>(
        self,
        key: impl FnOnce(R::Paths) -> Column<P>,
    ) -> WithRelated<Self, (Referring<R, P>,)>
    where
        ScalarOf<P>: Identifies<D::Id>,
    {
        key(R::PATHS);
        WithRelated { find: self, relations: PhantomData }
    }
}

/// One to six relations, a tuple of them.
#[doc(hidden)]
pub trait Relations<D>: 'static {
    /// A `D` and what stands beside it, as one tuple.
    type Row: DeserializeOwned + 'static;
    /// How the others are found.
    const RELATED: &'static [Related];
}

/// Relations that one more may stand beside.
#[diagnostic::on_unimplemented(
    message = "at most six includes stand beside a document",
    label = "this would be the seventh",
    note = "send another query with it in one statement: `store.query_all((a, b))`"
)]
#[doc(hidden)]
pub trait Beside<R> {
    /// All of them.
    type All;
}

macro_rules! tuples {
    ($([$($relation:ident)*])*) => { $(
        impl<T: DeserializeOwned + 'static, $($relation: Relation),*> Relations<T> for ($($relation,)*) {
            type Row = (T, $($relation::Out),*);
            const RELATED: &'static [Related] = &[$($relation::RELATED),*];
        }
    )* };
}
tuples!([A] [A B] [A B C] [A B C D] [A B C D E] [A B C D E F]);

macro_rules! one_more {
    ($([$($relation:ident)*])*) => { $(
        impl<R, $($relation),*> Beside<R> for ($($relation,)*) {
            type All = ($($relation,)* R);
        }
    )* };
}
one_more!([A] [A B] [A B C] [A B C D] [A B C D E]);

/// A query for documents with others beside them.
pub struct WithRelated<F, R> {
    find: F,
    relations: Tag<R>,
}

impl<F: fmt::Debug, R> fmt::Debug for WithRelated<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WithRelated").field(&self.find).finish()
    }
}

impl<D: Document, F: Definition<Row = D>, B> WithRelated<F, B> {
    /// One more beside each document: as [`Find::include`]. A row is one tuple, in the order of the includes.
    pub fn include<R: Document, P: Path<Root = D>>(
        self,
        key: impl FnOnce(D::Paths) -> Column<P>,
    ) -> WithRelated<F, B::All>
    where
        ScalarOf<P>: Identifies<R::Id>,
        B: Beside<Referred<R, P>>,
    {
        key(D::PATHS);
        WithRelated { find: self.find, relations: PhantomData }
    }

    /// More beside each document: as [`Find::include_many`].
    pub fn include_many<R: Document, P: Path<Root = R>>(
        self,
        key: impl FnOnce(R::Paths) -> Column<P>,
    ) -> WithRelated<F, B::All>
    where
        ScalarOf<P>: Identifies<D::Id>,
        B: Beside<Referring<R, P>>,
    {
        key(R::PATHS);
        WithRelated { find: self.find, relations: PhantomData }
    }
}

impl<F: Definition, R: Relations<F::Row>> Definition for WithRelated<F, R> {
    type Row = R::Row;
    type Out = Vec<Self::Row>;
    type Next = Self;
    const NAME: &'static str = F::NAME;
    const STATEMENT: Statement = Statement { related: R::RELATED, ..F::STATEMENT };
    const DECODE: Decode<Self::Out> = many::<Self::Row, Self::Out>();

    as_of!(find);
}
