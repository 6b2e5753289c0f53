//! A compiled query's steps as functions: what an editor's analyzer sees in place of the query's const.
//!
//! `#[compiled_query]` hands the chain as it is written to these when it is expanded for rust-analyzer, whatever is wrong
//! with it. So fields complete while the query is half written, and each step can be asked for and about. None of it runs.

use std::marker::PhantomData;

use super::capability::Map;
use super::condition::Everything;
use super::entry::Key;
use super::group::Group;
use super::path::{At, Column, DocumentValue, Path, PathSet, Tag};
use crate::model::Document;

/// The steps of a query over one collection.
#[derive(Debug)]
pub struct Steps<D>(Tag<D>);

/// The steps behind `group_by`.
#[derive(Debug)]
pub struct GroupSteps<D>(Tag<D>);

/// Stands for the condition of an `any`.
pub fn any_condition<R, D: 'static>(_: R) -> Everything<D> {
    Everything::NEW
}

/// Stands for `map.get(key)`.
#[allow(clippy::type_complexity, reason = "a name would hide what the closure sees")]
pub fn entry_of<P: Path, K>(
    _: Column<P>,
    _: K,
) -> <Option<<P::Value as Map>::Item> as DocumentValue>::Paths<At<P, Key<P::Value, String>>>
where
    P::Value: Map,
{
    PathSet::NEW
}

/// Steps with one closure over the fields.
macro_rules! over_fields {
    ($($(#[$doc:meta])* $step:ident)*) => {$(
        $(#[$doc])*
        pub fn $step<R>(self, _: impl FnOnce(D::Paths) -> R) -> Self {
            self
        }
    )*};
}

/// Steps with one closure over the fields and the group.
macro_rules! over_groups {
    ($($(#[$doc:meta])* $step:ident)*) => {$(
        $(#[$doc])*
        pub fn $step<R>(self, _: impl FnOnce(D::Paths, Group<D>) -> R) -> Self {
            self
        }
    )*};
}

/// Steps that take values alone.
macro_rules! of_values {
    ($($(#[$doc:meta])* $step:ident($($argument:ident),*))*) => {$(
        $(#[$doc])*
        pub fn $step<$($argument),*>(self, $(_: $argument),*) -> Self {
            self
        }
    )*};
}

/// Steps that both have.
macro_rules! everywhere {
    () => {
        of_values! {
            /// At most so many rows.
            limit(N)
            /// Passes over so many rows first.
            offset(N)
            /// Of what is selected, each row once.
            distinct()
            /// Soft-deleted documents too.
            include_deleted()
            /// Soft-deleted documents alone.
            only_deleted()
            /// Exactly one row; none, or several, is an error.
            one()
            /// The first row, if there is one.
            first()
            /// How many rows there are.
            count()
            /// Whether there is a row.
            exists()
            /// So many rows after a cursor, and the cursor of the next page.
            page(A, N)
            /// The page of this number, from 1, of so many rows, and how many rows there are in all.
            numbered_page(A, N)
        }
    };
}

impl<D: Document> Steps<D> {
    /// Begins a query over the collection.
    pub fn query() -> Self {
        Self(PhantomData)
    }

    over_fields! {
        /// Only documents that fulfil the condition, and those before it.
        filter
        /// In this order: `|c| c.created_at.desc()`, or a tuple of such.
        order_by
        /// A field, a tuple of fields or a struct instead of documents.
        select
        /// The least value of a field.
        min
        /// The greatest value of a field.
        max
        /// The sum of a field's values.
        sum
        /// The mean of a field's values.
        avg
    }
    everywhere! {}

    /// As [`filter`](Self::filter) when the argument is there; otherwise the condition is left out.
    pub fn filter_if<V, R>(self, _: Option<V>, _: impl FnOnce(D::Paths, V) -> R) -> Self {
        self
    }

    /// Beside each document the one whose id is in the field.
    pub fn include<O: Document, R>(self, _: PhantomData<O>, _: impl FnOnce(D::Paths) -> R) -> Self {
        self
    }

    /// Beside each document all those that name it in the field.
    pub fn include_many<O: Document, R>(self, _: PhantomData<O>, _: impl FnOnce(O::Paths) -> R) -> Self {
        self
    }

    /// One row for all documents with the same values: a field, or a tuple of fields.
    pub fn group_by<R>(self, _: impl FnOnce(D::Paths) -> R) -> GroupSteps<D> {
        GroupSteps(PhantomData)
    }
}

impl<D: Document> GroupSteps<D> {
    over_groups! {
        /// Only groups that fulfil the condition, and those before it.
        having
        /// In this order: `|c, g| g.count().desc()`, or a tuple of such.
        order_by
        /// Keys and what is made of the documents of each group.
        select
    }
    everywhere! {}
}
