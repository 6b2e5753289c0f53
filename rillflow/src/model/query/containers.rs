//! Conditions on lists and maps.

use std::marker::PhantomData;

use super::capability::{List, Map};
use super::condition::{Condition, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual, OperatorType};
use super::operand::{RowCount, Value};
use super::path::{Column, DocumentValue, Element, ItemOf, Path, PathSet, Tag};
use super::tree::{Node, Operand, Operator};
use crate::model::SqlValue;

/// How many elements the list at `P` has.
#[derive(Debug)]
pub struct Length<P>(pub(super) Tag<P>);

/// The number of a list's elements against a number.
pub struct CompareLength<P, O, V> {
    value: V,
    path: Tag<(P, O)>,
}

macro_rules! length {
    ($($(#[$doc:meta])* $name:ident $operator:ident;)*) => {
        impl<P: Path> Length<P> { $(
            $(#[$doc])*
            pub const fn $name<V: RowCount>(self, value: V) -> CompareLength<P, $operator, V> {
                CompareLength { value, path: PhantomData }
            }
        )* }
    };
}

length! {
    /// `==` in a compiled query.
    eq Equal;
    /// `!=` in a compiled query.
    ne NotEqual;
    /// `<` in a compiled query.
    lt Less;
    /// `<=` in a compiled query.
    le LessOrEqual;
    /// `>` in a compiled query.
    gt Greater;
    /// `>=` in a compiled query.
    ge GreaterOrEqual;
}

impl<P: Path, O: OperatorType, V: Value> Condition for CompareLength<P, O, V> {
    type Root = P::Root;
    const NODE: &'static Node = &Node::Length(P::INFO, O::OPERATOR, V::OPERAND);
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.value.bind(binds);
    }
}

/// A list without elements.
pub struct Empty<P>(pub(super) Tag<P>);

impl<P: Path> Condition for Empty<P> {
    type Root = P::Root;
    const NODE: &'static Node = &Node::Length(P::INFO, Operator::Equal, Operand::Inline("0"));
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

/// A map that has a key.
pub struct HasKey<P, K> {
    pub(super) key: K,
    pub(super) path: Tag<P>,
}

impl<P: Path, K: Value> Condition for HasKey<P, K> {
    type Root = P::Root;
    const NODE: &'static Node = &Node::HasKey(P::INFO, K::OPERAND);
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.key.bind(binds);
    }
}

/// A map that holds a value under a key.
pub struct HasEntry<P, K, V> {
    pub(super) key: K,
    pub(super) value: V,
    pub(super) path: Tag<P>,
}

impl<P: Path, K: Value, V: Value> Condition for HasEntry<P, K, V>
where
    P::Value: Map,
{
    type Root = P::Root;
    const NODE: &'static Node =
        &Node::HasEntry(P::INFO, K::OPERAND, V::OPERAND, <<P::Value as Map>::Item as DocumentValue>::SQL_TYPE);
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.key.bind(binds);
        self.value.bind(binds);
    }
}

/// A list that holds a value.
pub struct Contains<P, V> {
    pub(super) value: V,
    pub(super) path: Tag<P>,
}

impl<P: Path, V: Value> Condition for Contains<P, V> {
    type Root = P::Root;
    const NODE: &'static Node = &Node::Contains(P::INFO, V::OPERAND, <P::Value as DocumentValue>::ITEM_SQL_TYPE);
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.value.bind(binds);
    }
}

/// A list with an element that fulfils a condition.
pub struct Any<P, C> {
    pub(super) condition: C,
    pub(super) path: Tag<P>,
}

impl<P: Path, C: Condition> Condition for Any<P, C> {
    type Root = P::Root;
    const NODE: &'static Node = &Node::Any(P::INFO, C::NODE);
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.condition.bind(binds);
    }
}

/// The paths of the elements of a list: what the closure of `any` sees, in const.
#[doc(hidden)]
pub const fn elements<P: Path>(_: Column<P>) -> <ItemOf<P> as DocumentValue>::Paths<Element<P>>
where
    P::Value: List,
{
    PathSet::NEW
}

/// `list.any(|element| condition)`, in const, where closures cannot be called. That it is a list, [`elements`] has
/// checked.
#[doc(hidden)]
pub const fn any<P: Path, C: Condition<Root = Element<P>>>(_: Column<P>, condition: C) -> Any<P, C> {
    Any { condition, path: PhantomData }
}
