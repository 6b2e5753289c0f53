//! Groups: their keys, and what is made of the documents in each.

use std::fmt;
use std::marker::PhantomData;

use super::aggregate::{Aggregating, Max, Mean, Min, Numeric, Sum, SumOf};
use super::capability::Orderable;
use super::coverage::same_path;
use super::path::{Column, DocumentValue, Parent, Path, PathSet, ROOT, ScalarOf, Tag};
use super::presence::{Always, Presence};
use super::text::Message;
use super::tree::{Aggregation, Node, Operand, Output, PathInfo, Place, Rows, Statement};
use crate::model::SqlType;

/// The documents of a group, in the closures behind `group_by`.
pub struct Group<D>(Tag<D>);

impl<D> Copy for Group<D> {}
impl<D> Clone for Group<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> fmt::Debug for Group<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Group")
    }
}

/// The path to what `A` makes of the values at `P`.
pub struct Over<A, P>(Tag<(A, P)>);

/// The path to the number of documents in a group.
pub struct Size<D>(Tag<D>);

impl<D: 'static> Group<D> {
    /// The one value.
    #[doc(hidden)]
    pub const NEW: Self = Self(PhantomData);

    /// How many documents there are.
    pub const fn count(self) -> Column<Size<D>> {
        Column::NEW
    }

    /// The sum of a field's values, as `f64` or `i64`.
    pub const fn sum<P: Path<Root = D>>(self, _: Column<P>) -> Column<Over<Sum<SumOf<P>>, P>>
    where
        P::Value: Numeric,
    {
        Column::NEW
    }

    /// The mean of a field's values.
    pub const fn avg<P: Path<Root = D>>(self, _: Column<P>) -> Column<Over<Mean<f64>, P>>
    where
        P::Value: Numeric,
    {
        Column::NEW
    }

    /// The least value of a field.
    pub const fn min<P: Path<Root = D>>(self, _: Column<P>) -> Column<Over<Min<ScalarOf<P>>, P>>
    where
        P::Value: Orderable,
    {
        Column::NEW
    }

    /// The greatest value of a field.
    pub const fn max<P: Path<Root = D>>(self, _: Column<P>) -> Column<Over<Max<ScalarOf<P>>, P>>
    where
        P::Value: Orderable,
    {
        Column::NEW
    }
}

impl<A: Aggregating, P: Path> Parent for Over<A, P> {
    type Root = P::Root;
    /// A group has a document, so there is a value where each document has one.
    type Presence = P::Presence;
    const INFO: &'static PathInfo = {
        assert!(!is_aggregate(P::INFO), "an aggregate is made of the values of a field, not of another aggregate");
        &PathInfo {
            parent: Some(P::INFO),
            key: "",
            quoted_key: "",
            computed_key: None,
            field: "",
            sql_type: <A::Value as DocumentValue>::SQL_TYPE,
            nullable: P::INFO.nullable,
            left_out: false,
            conditional: P::INFO.conditional,
            place: Place::Aggregate(A::AGGREGATION),
        }
    };
}

impl<A: Aggregating, P: Path> Path for Over<A, P> {
    type Value = <P::Presence as Presence>::Of<A::Value>;
}

impl<D: 'static> Parent for Size<D> {
    type Root = D;
    type Presence = Always;
    const INFO: &'static PathInfo = &PathInfo {
        parent: Some(ROOT),
        key: "",
        quoted_key: "",
        computed_key: None,
        field: "",
        sql_type: SqlType::Int,
        nullable: false,
        left_out: false,
        conditional: false,
        place: Place::Aggregate(Aggregation::Count),
    };
}

impl<D: 'static> Path for Size<D> {
    type Value = i64;
}

/// The keys of groups: a field, or a tuple of them.
#[diagnostic::on_unimplemented(
    message = "this does not say how to group",
    label = "expected a field, or a tuple of fields"
)]
pub trait GroupBy {
    /// What they belong to.
    type Root;
    /// The keys.
    #[doc(hidden)]
    const KEYS: &'static [&'static PathInfo];
}

impl<P: Path> GroupBy for Column<P> {
    type Root = P::Root;
    const KEYS: &'static [&'static PathInfo] = &[P::INFO];
}

macro_rules! tuples {
    ($([$($path:ident)*])*) => { $(
        impl<R, $($path: Path<Root = R>),*> GroupBy for ($(Column<$path>,)*) {
            type Root = R;
            const KEYS: &'static [&'static PathInfo] = &[$($path::INFO),*];
        }
    )* };
}
tuples!([A] [A B] [A B C] [A B C D] [A B C D E] [A B C D E F]);

/// The keys of groups.
#[doc(hidden)]
pub const fn groups<G: GroupBy>(_: &G) -> &'static [&'static PathInfo] {
    G::KEYS
}

/// Fails to compile when a key of the groups is not one scalar.
#[doc(hidden)]
#[track_caller]
pub const fn check_groups(document: &str, statement: &Statement) {
    let Rows::Groups(keys, _) = statement.rows else { return };
    let mut i = 0;
    while i < keys.len() {
        if let SqlType::Json = keys[i].sql_type {
            let message = Message::new()
                .text("`")
                .path(keys[i])
                .text("` of `")
                .text(document)
                .text("` is not one value, so there are no groups by it.\n  help: group by one of its fields");
            panic!("{}", message.as_str());
        }
        i += 1;
    }
}

const fn is_aggregate(path: &PathInfo) -> bool {
    matches!(path.place, Place::Aggregate(_))
}

/// Fails to compile when a group would give, or be chosen or sorted by, a field of which it has several values; and
/// when distinct rows would be sorted by a field that they do not hold.
#[doc(hidden)]
#[track_caller]
pub const fn check_rows(query: &str, statement: &Statement) {
    let (stray, help) = match statement.rows {
        Rows::Each => return,
        Rows::Distinct => (
            unselected(statement),
            "`, which the distinct rows do not hold.\n  help: select it too, or sort by what is selected",
        ),
        Rows::Groups(keys, having) => (
            first(
                first(stray_output(statement.output, keys), stray_condition(having, keys)),
                stray_key(statement, keys),
            ),
            "`, of which a group has several values.\n  help: put it into `group_by`, or make one value of it, as in `g.max(c.field)`",
        ),
    };
    if let Some(path) = stray {
        let message = Message::new().text("query `").text(query).text("` looks at `").path(path).text(help);
        panic!("{}", message.as_str());
    }
}

const fn first(a: Option<&'static PathInfo>, b: Option<&'static PathInfo>) -> Option<&'static PathInfo> {
    if a.is_some() { a } else { b }
}

/// The field, if a group has several values of it.
const fn stray(path: &'static PathInfo, keys: &[&PathInfo]) -> Option<&'static PathInfo> {
    if is_aggregate(path) || is_among(path, keys) { None } else { Some(path) }
}

const fn is_among(path: &PathInfo, paths: &[&PathInfo]) -> bool {
    let mut i = 0;
    while i < paths.len() {
        if same_path(paths[i], path) {
            return true;
        }
        i += 1;
    }
    false
}

const fn stray_output(output: Output, keys: &[&PathInfo]) -> Option<&'static PathInfo> {
    let mut i = 0;
    while let Some(path) = output.field(i) {
        if let Some(path) = stray(path, keys) {
            return Some(path);
        }
        i += 1;
    }
    None
}

const fn stray_key(statement: &Statement, keys: &[&PathInfo]) -> Option<&'static PathInfo> {
    let mut i = 0;
    while i < statement.order.len() {
        if let Some(path) = stray(statement.order[i].path, keys) {
            return Some(path);
        }
        i += 1;
    }
    None
}

const fn stray_condition(node: &Node, keys: &[&PathInfo]) -> Option<&'static PathInfo> {
    match node {
        Node::Everything => None,
        Node::And(a, b) | Node::Or(a, b) => first(stray_condition(a, keys), stray_condition(b, keys)),
        Node::Not(inner) | Node::Optional(_, inner) => stray_condition(inner, keys),
        Node::Compare(path, _, Operand::Field(other)) => first(stray(path, keys), stray(other, keys)),
        Node::Length(path, ..)
        | Node::HasKey(path, _)
        | Node::HasEntry(path, ..)
        | Node::Compare(path, ..)
        | Node::OneOf(path, _)
        | Node::IsNull(path)
        | Node::IsSome(path)
        | Node::Contains(path, ..)
        | Node::Any(path, _) => stray(path, keys),
        Node::Search(index, _) => stray(index.keys[0].path, keys),
    }
}

/// A sort key that is not among the selected fields.
const fn unselected(statement: &Statement) -> Option<&'static PathInfo> {
    let mut i = 0;
    while i < statement.order.len() {
        let path = statement.order[i].path;
        let mut at = 0;
        let mut found = false;
        while let Some(selected) = statement.output.field(at) {
            found = found || same_path(selected, path);
            at += 1;
        }
        if !found {
            return Some(path);
        }
        i += 1;
    }
    None
}
