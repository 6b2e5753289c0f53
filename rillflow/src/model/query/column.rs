//! What can be asked of a field.

use std::marker::PhantomData;

use super::capability::{List, Map, Nullable, Orderable, Text};
use super::condition::{
    Between, Compare, Condition, ContainsText, EndsWith, Equal, Greater, GreaterOrEqual, ILike, Less, LessOrEqual,
    Like, NotEqual, NullTest, OneOf, Regex, StartsWith,
};
use super::containers::{Any, Contains, Empty, HasEntry, HasKey, Length};
use super::operand::ComparableTo;
use super::path::{Column, DocumentValue, Element, ItemOf, Path, PathSet, ScalarOf};

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

    /// Both `>=` the first and `<=` the second value.
    pub const fn between<A, B>(self, least: A, greatest: B) -> Between<P, A, B>
    where
        A: ComparableTo<ScalarOf<P>>,
        B: ComparableTo<ScalarOf<P>>,
        P::Value: Orderable,
    {
        Between { least, greatest, path: PhantomData }
    }

    /// Text that begins with these characters. A `text_pattern` index serves it.
    pub const fn starts_with<V: ComparableTo<String>>(self, value: V) -> Compare<P, StartsWith, V>
    where
        P::Value: Text,
    {
        Compare { value, path: PhantomData }
    }

    /// Text that fits an SQL pattern: `%` for any characters, `_` for one. A `trigram` index serves it; a
    /// `text_pattern` index does when the pattern is a literal that does not begin with `%` or `_`.
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
    /// Text that ends in these characters. A `trigram` index serves it.
    pub const fn ends_with<V: ComparableTo<String>>(self, value: V) -> Compare<P, EndsWith, V>
    where
        P::Value: Text,
    {
        Compare { value, path: PhantomData }
    }

    /// Text with these characters somewhere inside. A `trigram` index serves it.
    pub const fn contains_text<V: ComparableTo<String>>(self, value: V) -> Compare<P, ContainsText, V>
    where
        P::Value: Text,
    {
        Compare { value, path: PhantomData }
    }

    /// Text in which a POSIX regular expression is found. No index serves it.
    pub const fn regex<V: ComparableTo<String>>(self, pattern: V) -> Compare<P, Regex, V>
    where
        P::Value: Text,
    {
        Compare { value: pattern, path: PhantomData }
    }
}

impl<P: Path> Column<P> {
    /// A map with this key. No index serves it.
    pub const fn has_key<K: ComparableTo<String>>(self, key: K) -> HasKey<P, K>
    where
        P::Value: Map,
    {
        HasKey { key, path: PhantomData }
    }

    /// A map with this value under this key. A `gin` index serves it.
    pub const fn has_entry<K, V>(self, key: K, value: V) -> HasEntry<P, K, V>
    where
        P::Value: Map,
        K: ComparableTo<String>,
        V: ComparableTo<<<P::Value as Map>::Item as DocumentValue>::Scalar>,
    {
        HasEntry { key, value, path: PhantomData }
    }

    /// How many elements a list has, to be compared with a number. No index serves it.
    #[allow(clippy::len_without_is_empty, reason = "it is below")]
    pub const fn len(self) -> Length<P>
    where
        P::Value: List,
    {
        Length(PhantomData)
    }

    /// A list without elements. No index serves it.
    pub const fn is_empty(self) -> Empty<P>
    where
        P::Value: List,
    {
        Empty(PhantomData)
    }
}

impl<P: Path> Column<P> {
    /// One of several values: a `Vec`, slice or array of them.
    pub const fn one_of<V: ComparableTo<[ScalarOf<P>]>>(self, values: V) -> OneOf<P, V> {
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
