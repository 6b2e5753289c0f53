//! Conditions: one type per kind, so that a whole filter is a type and its tree a const.

use std::marker::PhantomData;

use super::capability::Flag;
use super::operand::{Inline, Literal, Perhaps, Value};
use super::path::{Column, Path, Tag};
use super::text::str_eq;
use super::tree::{Node, Operand, Operator, PathInfo, Place};
use crate::model::SqlValue;

/// A condition on documents (or on elements of a list): what `filter` and `any` take.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a condition",
    label = "expected a condition such as `c.field == value`"
)]
pub trait Condition: Send + Sync {
    /// What it is a condition on.
    type Root;
    /// Its tree.
    #[doc(hidden)]
    const NODE: &'static Node;
    /// Adds its values to the parameters, in the order in which the text names them.
    #[doc(hidden)]
    fn bind(&self, binds: &mut Vec<SqlValue>);
}

/// Makes a marker type for an operator.
macro_rules! operators {
    ($($name:ident)*) => { $(
        #[doc = concat!("The operator `", stringify!($name), "` as a type.")]
        #[derive(Debug)]
        pub struct $name;
        impl OperatorType for $name {
            const OPERATOR: Operator = Operator::$name;
        }
    )* };
}

/// An operator as a type.
#[doc(hidden)]
pub trait OperatorType: 'static {
    /// The operator.
    const OPERATOR: Operator;
}

operators!(Equal NotEqual Less LessOrEqual Greater GreaterOrEqual StartsWith EndsWith ContainsText Like ILike Regex);

/// Every document.
pub struct Everything<D>(Tag<D>);

impl<D> Everything<D> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<D> Condition for Everything<D> {
    type Root = D;
    const NODE: &'static Node = &Node::Everything;
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

/// A field against a value.
pub struct Compare<P, O, V> {
    pub(super) value: V,
    pub(super) path: Tag<(P, O)>,
}

impl<P: Path, O: OperatorType, V: Value> Condition for Compare<P, O, V> {
    type Root = P::Root;
    const NODE: &'static Node = {
        if let Operand::Field(other) = V::OPERAND {
            assert!(same_origin(P::INFO, other), "a field is compared with a field of the same document or element");
        }
        &Node::Compare(P::INFO, O::OPERATOR, V::OPERAND)
    };
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.value.bind(binds);
    }
}

/// True when both paths begin at the same document or element.
const fn same_origin(a: &PathInfo, b: &PathInfo) -> bool {
    match (a.parent, b.parent) {
        (Some(above), _) => same_origin(above, b),
        (_, Some(above)) => same_origin(a, above),
        // an element's path begins at a place of its own, which is named after its list
        (None, None) => match (a.place, b.place) {
            (Place::Root, Place::Root) => true,
            (Place::Element, Place::Element) => str_eq(a.key, b.key),
            _ => false,
        },
    }
}

/// A field between two values.
pub struct Between<P, A, B> {
    pub(super) least: A,
    pub(super) greatest: B,
    pub(super) path: Tag<P>,
}

impl<P: Path, A: Value, B: Value> Condition for Between<P, A, B> {
    type Root = P::Root;
    const NODE: &'static Node = &Node::And(
        &Node::Compare(P::INFO, Operator::GreaterOrEqual, A::OPERAND),
        &Node::Compare(P::INFO, Operator::LessOrEqual, B::OPERAND),
    );
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.least.bind(binds);
        self.greatest.bind(binds);
    }
}

/// A condition that is left out when its value is absent.
pub struct Given<V, C> {
    pub(super) value: Perhaps<V>,
    pub(super) condition: C,
}

impl<V: Value, C: Condition> Condition for Given<V, C> {
    type Root = C::Root;
    const NODE: &'static Node = &Node::Optional(V::OPERAND, C::NODE);
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.value.bind(binds);
        self.condition.bind(binds);
    }
}

/// `filter_if(value, |c, value| condition)`, in const.
#[doc(hidden)]
pub const fn given<V: Value, C: Condition>(_: &V, condition: C) -> Given<V, C> {
    Given { value: Perhaps(None), condition }
}

/// A field against a list of values.
pub struct OneOf<P, V> {
    pub(super) values: V,
    pub(super) path: Tag<P>,
}

impl<P: Path, V: Value> Condition for OneOf<P, V> {
    type Root = P::Root;
    const NODE: &'static Node = &Node::OneOf(P::INFO, V::OPERAND);
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.values.bind(binds);
    }
}

/// A field with or without a value.
pub struct NullTest<P, const NULL: bool>(pub(super) Tag<P>);

impl<P: Path, const NULL: bool> Condition for NullTest<P, NULL> {
    type Root = P::Root;
    const NODE: &'static Node = {
        refuse_flat(P::FLAT);
        if NULL { &Node::IsNull(P::INFO) } else { &Node::IsSome(P::INFO) }
    };
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

/// Whether there is a value, of a field that holds several.
#[doc(hidden)]
#[track_caller]
pub const fn null_test<P: Path, const NULL: bool>() -> NullTest<P, NULL> {
    refuse_flat(P::FLAT);
    NullTest(PhantomData)
}

#[track_caller]
const fn refuse_flat(flat: bool) {
    assert!(!flat, "a flattened field has no key of its own, which could be there or not: ask one of its fields");
}

/// An enum that is the variant `L`, whose name is the key of what it holds.
pub struct Is<P, L>(Tag<(P, L)>);

impl<P: Path, L: Literal> Condition for Is<P, L> {
    type Root = P::Root;
    const NODE: &'static Node = &Node::HasKey(P::INFO, Operand::Inline(L::SQL));
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

/// See [`Is`].
#[doc(hidden)]
pub const fn is_key<P: Path, L: Literal>() -> Is<P, L> {
    Is(PhantomData)
}

/// An enum that is the variant `L`, whose name is at the path `P` of its tag.
#[doc(hidden)]
pub const fn is_tag<P: Path, L: Literal>() -> Compare<P, Equal, Inline<L>> {
    Compare { value: Inline::NEW, path: PhantomData }
}

/// A `bool` field alone: it is true.
impl<P: Path> Condition for Column<P>
where
    P::Value: Flag,
{
    type Root = P::Root;
    const NODE: &'static Node = &Node::Compare(P::INFO, Operator::Equal, Operand::Inline("true"));
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

/// The tree of a condition.
#[doc(hidden)]
pub const fn node_of<C: Condition>(_: &C) -> &'static Node {
    C::NODE
}
