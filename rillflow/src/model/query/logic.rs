//! Conditions made of conditions: `&&`, `||` and `!`.

use super::condition::{Between, Compare, Condition, Is, NullTest, OneOf};
use super::containers::{Any, CompareLength, Contains, Empty, HasEntry, HasKey};
use super::entry::Keyed;
use super::path::Column;
use super::search::Search;
use super::tree::Node;
use crate::model::SqlValue;

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
