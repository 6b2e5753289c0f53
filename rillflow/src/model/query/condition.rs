//! Conditions: one type per kind, so that a whole filter is a type and its tree a const.

use std::marker::PhantomData;

use super::entry::Keyed;
use super::operand::{Inline, Literal, Perhaps, RowCount, Value};
use super::path::{Column, DocumentValue, Element, Flag, ItemOf, List, Map, Path, PathSet, Tag};
use super::search::Search;
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

/// Both conditions.
pub struct And<A, B>(A, B);

impl<A: Condition, B: Condition<Root = A::Root>> Condition for And<A, B> {
    type Root = A::Root;
    const NODE: &'static Node = match A::NODE {
        Node::Everything => B::NODE,
        _ => &Node::And(A::NODE, B::NODE),
    };
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.0.bind(binds);
        self.1.bind(binds);
    }
}

/// Either condition.
pub struct Or<A, B>(A, B);

impl<A: Condition, B: Condition<Root = A::Root>> Condition for Or<A, B> {
    type Root = A::Root;
    const NODE: &'static Node = &Node::Or(A::NODE, B::NODE);
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.0.bind(binds);
        self.1.bind(binds);
    }
}

/// The opposite of a condition.
pub struct Not<A>(A);

impl<A: Condition> Condition for Not<A> {
    type Root = A::Root;
    const NODE: &'static Node = &Node::Not(A::NODE);
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.0.bind(binds);
    }
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

/// `a && b`, in const.
#[doc(hidden)]
pub const fn and<A: Condition, B: Condition<Root = A::Root>>(a: A, b: B) -> And<A, B> {
    And(a, b)
}

/// `a || b`, in const.
#[doc(hidden)]
pub const fn or<A: Condition, B: Condition<Root = A::Root>>(a: A, b: B) -> Or<A, B> {
    Or(a, b)
}

/// `!a`, in const.
#[doc(hidden)]
pub const fn not<A: Condition>(a: A) -> Not<A> {
    Not(a)
}

/// The tree of a condition.
#[doc(hidden)]
pub const fn node_of<C: Condition>(_: &C) -> &'static Node {
    C::NODE
}

/// `&`, `|` and `!` between conditions that are written where they are used.
macro_rules! combine {
    ($([$($generic:tt)*] $type:ty;)*) => { $(
        impl<$($generic)*, Z: Condition> std::ops::BitAnd<Z> for $type {
            type Output = And<Self, Z>;
            fn bitand(self, other: Z) -> And<Self, Z> {
                And(self, other)
            }
        }
        impl<$($generic)*, Z: Condition> std::ops::BitOr<Z> for $type {
            type Output = Or<Self, Z>;
            fn bitor(self, other: Z) -> Or<Self, Z> {
                Or(self, other)
            }
        }
        impl<$($generic)*> std::ops::Not for $type {
            type Output = Not<Self>;
            fn not(self) -> Not<Self> {
                Not(self)
            }
        }
    )* };
}

combine! {
    [P] Column<P>;
    [P, O, V] Compare<P, O, V>;
    [P, V] OneOf<P, V>;
    [P, V] Contains<P, V>;
    [P, const NULL: bool] NullTest<P, NULL>;
    [P, A, B] Between<P, A, B>;
    [P, O, V] CompareLength<P, O, V>;
    [P] Empty<P>;
    [P, K] HasKey<P, K>;
    [P, K, V] HasEntry<P, K, V>;
    [P, C] Any<P, C>;
    [C] Keyed<C>;
    [P, L] Is<P, L>;
    [D, V] Search<D, V>;
    [A, B] And<A, B>;
    [A, B] Or<A, B>;
    [A] Not<A>;
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
