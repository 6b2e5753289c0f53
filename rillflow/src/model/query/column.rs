//! What can be asked of a field.

use std::marker::PhantomData;

use super::condition::{
    Any, Compare, Condition, Contains, Equal, Greater, GreaterOrEqual, ILike, Less, LessOrEqual, Like, NotEqual,
    NullTest, OneOf, StartsWith,
};
use super::operand::ComparableTo;
use super::path::{Column, DocumentValue, Element, ItemOf, List, Nullable, Orderable, Path, PathSet, ScalarOf, Text};

// Written out one by one: rustc shows these lines when a value does not fit, and a macro would stand in between.
impl<P: Path> Column<P> {
    /// `==` in a compiled query.
    pub const fn eq<V: ComparableTo<ScalarOf<P>>>(self, value: V) -> Compare<P, Equal, V> {
        Compare { value, path: PhantomData }
    }

    /// `!=` in a compiled query; a missing value differs from every value.
    pub const fn ne<V: ComparableTo<ScalarOf<P>>>(self, value: V) -> Compare<P, NotEqual, V> {
        Compare { value, path: PhantomData }
    }

    /// `<` in a compiled query.
    pub const fn lt<V: ComparableTo<ScalarOf<P>>>(self, value: V) -> Compare<P, Less, V>
    where
        P::Value: Orderable,
    {
        Compare { value, path: PhantomData }
    }

    /// `<=` in a compiled query.
    pub const fn le<V: ComparableTo<ScalarOf<P>>>(self, value: V) -> Compare<P, LessOrEqual, V>
    where
        P::Value: Orderable,
    {
        Compare { value, path: PhantomData }
    }

    /// `>` in a compiled query.
    pub const fn gt<V: ComparableTo<ScalarOf<P>>>(self, value: V) -> Compare<P, Greater, V>
    where
        P::Value: Orderable,
    {
        Compare { value, path: PhantomData }
    }

    /// `>=` in a compiled query.
    pub const fn ge<V: ComparableTo<ScalarOf<P>>>(self, value: V) -> Compare<P, GreaterOrEqual, V>
    where
        P::Value: Orderable,
    {
        Compare { value, path: PhantomData }
    }

    /// Text that begins with these characters. A plain index does not serve it.
    pub const fn starts_with<V: ComparableTo<String>>(self, value: V) -> Compare<P, StartsWith, V>
    where
        P::Value: Text,
    {
        Compare { value, path: PhantomData }
    }

    /// Text that fits an SQL pattern: `%` for any characters, `_` for one. A plain index does not serve it.
    pub const fn like<V: ComparableTo<String>>(self, value: V) -> Compare<P, Like, V>
    where
        P::Value: Text,
    {
        Compare { value, path: PhantomData }
    }

    /// As [`like`](Self::like), upper and lower case being the same.
    pub const fn ilike<V: ComparableTo<String>>(self, value: V) -> Compare<P, ILike, V>
    where
        P::Value: Text,
    {
        Compare { value, path: PhantomData }
    }
}

impl<P: Path> Column<P> {
    /// One of several values: a `Vec`, slice or array of them.
    pub const fn one_of<V: ComparableTo<[ScalarOf<P>]>>(self, values: V) -> OneOf<P, V>
    where
        ScalarOf<P>: Sized,
    {
        OneOf { values, path: PhantomData }
    }

    /// No value: null, or no such key.
    pub const fn is_null(self) -> NullTest<P, true>
    where
        P::Value: Nullable,
    {
        NullTest(PhantomData)
    }

    /// A value.
    pub const fn is_some(self) -> NullTest<P, false>
    where
        P::Value: Nullable,
    {
        NullTest(PhantomData)
    }
}

impl<P: Path> Column<P> {
    /// A list that holds this value.
    pub const fn contains<V: ComparableTo<<ItemOf<P> as DocumentValue>::Scalar>>(self, value: V) -> Contains<P, V>
    where
        P::Value: List,
    {
        Contains { value, path: PhantomData }
    }

    /// A list with an element that fulfils a condition.
    pub fn any<C: Condition<Root = Element<P>>>(
        self,
        condition: impl FnOnce(<ItemOf<P> as DocumentValue>::Paths<Element<P>>) -> C,
    ) -> Any<P, C>
    where
        P::Value: List,
    {
        Any { condition: condition(PathSet::NEW), path: PhantomData }
    }
}
