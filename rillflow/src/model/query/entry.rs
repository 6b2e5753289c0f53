//! Values of maps: `c.labels.get("color") == "red"`.

use std::marker::PhantomData;

use super::capability::{Map, Orderable, Text};
use super::condition::{
    Compare, Condition, ContainsText, EndsWith, Equal, Greater, GreaterOrEqual, ILike, Less, LessOrEqual, Like,
    NotEqual, NullTest, OneOf, Regex,
};
use super::operand::{ComparableTo, Value};
use super::order::Sorted;
use super::path::{At, Column, DocumentValue, Field, Parent, Path, PathSet, Tag};
use super::presence::{InRow, Sometimes};
use super::select::SelectedField;
use super::tree::{Node, Operand, PathInfo, Place};
use crate::model::SqlValue;

/// The value of the map `M` under the key `K`.
pub struct Key<M, K>(Tag<(M, K)>);

impl<M: Map, K: Value + 'static> Field for Key<M, K> {
    type Value = Option<M::Item>;
    type Presence = Sometimes;
    const KEY: &'static str = Self::QUOTED_KEY;
    const QUOTED_KEY: &'static str = if let Operand::Inline(literal) = K::OPERAND { literal } else { "" };
    const COMPUTED_KEY: Option<Operand> = match K::OPERAND {
        Operand::Inline(_) => None,
        key => Some(key),
    };
    const NAME: &'static str = "get(..)";
    const OPTIONAL: bool = true;
    const PLACE: Place = Place::Entry;
}

/// `map.get(key)`, in const.
#[doc(hidden)]
#[allow(clippy::type_complexity, reason = "a name would hide what the closure sees")]
pub const fn entry<P: Path, K: ComparableTo<String> + 'static>(
    _: Column<P>,
    _: &K,
) -> <Option<<P::Value as Map>::Item> as DocumentValue>::Paths<At<P, Key<P::Value, K>>>
where
    P::Value: Map,
{
    PathSet::NEW
}

impl<P: Path> Column<P> {
    /// The value of a map under a key.
    ///
    /// In a compiled query it is a field like others, in filters, orders, groups and selections; where queries are
    /// written in place it is one in filters, orders and selections. A `gin` index serves `==`, and nothing else.
    pub fn get(self, key: impl Into<String>) -> Entry<P>
    where
        P::Value: Map,
    {
        Entry { key: key.into(), map: PhantomData }
    }
}

/// The value of a map under a key, in a query written in place. It has the conditions of a field, sorts, and is selected.
pub struct Entry<P> {
    key: String,
    map: Tag<P>,
}

/// Where an entry's value is.
type ValueAt<P> = At<P, Key<<P as Path>::Value, String>>;

/// What an entry's value is compared with.
type ScalarIn<P> = <<<P as Path>::Value as Map>::Item as DocumentValue>::Scalar;

/// Conditions on an entry, each of a field.
macro_rules! tests {
    ($($(#[$doc:meta])* $name:ident $operator:ident: $with:ty $(, where $value:ident)?;)*) => {
        impl<P: Path> Entry<P>
        where
            P::Value: Map,
        { $(
            $(#[$doc])*
            pub fn $name<V: ComparableTo<$with>>(self, value: V) -> Keyed<Compare<ValueAt<P>, $operator, V>>
            $(where
                <P::Value as Map>::Item: $value)?
            {
                Keyed { key: self.key, condition: Compare { value, path: PhantomData } }
            }
        )* }
    };
}
tests! {
    /// `==` in a compiled query.
    eq Equal: ScalarIn<P>;
    /// `!=` in a compiled query; a missing value differs from every value.
    ne NotEqual: ScalarIn<P>;
    /// `<` in a compiled query.
    lt Less: ScalarIn<P>, where Orderable;
    /// `<=` in a compiled query.
    le LessOrEqual: ScalarIn<P>, where Orderable;
    /// `>` in a compiled query.
    gt Greater: ScalarIn<P>, where Orderable;
    /// `>=` in a compiled query.
    ge GreaterOrEqual: ScalarIn<P>, where Orderable;
    /// Text that ends in these characters.
    ends_with EndsWith: String, where Text;
    /// Text with these characters somewhere inside.
    contains_text ContainsText: String, where Text;
    /// Text that fits an SQL pattern.
    like Like: String, where Text;
    /// Text that fits an SQL pattern, upper and lower case being the same.
    ilike ILike: String, where Text;
    /// Text in which a POSIX regular expression is found.
    regex Regex: String, where Text;
}

impl<P: Path> Entry<P>
where
    P::Value: Map,
{
    /// One of several values.
    pub fn one_of<V: ComparableTo<[ScalarIn<P>]>>(self, values: V) -> Keyed<OneOf<ValueAt<P>, V>> {
        Keyed { key: self.key, condition: OneOf { values, path: PhantomData } }
    }

    /// No value under the key.
    pub fn is_null(self) -> Keyed<NullTest<ValueAt<P>, true>> {
        Keyed { key: self.key, condition: NullTest(PhantomData) }
    }

    /// A value under the key.
    pub fn is_some(self) -> Keyed<NullTest<ValueAt<P>, false>> {
        Keyed { key: self.key, condition: NullTest(PhantomData) }
    }

    /// Least first; rows without a value last.
    pub fn asc(self) -> Keyed<Sorted<ValueAt<P>, false, false>>
    where
        <P::Value as Map>::Item: Orderable,
    {
        Keyed { key: self.key, condition: Sorted::NEW }
    }

    /// Greatest first; rows without a value before them.
    pub fn desc(self) -> Keyed<Sorted<ValueAt<P>, true, true>>
    where
        <P::Value as Map>::Item: Orderable,
    {
        Keyed { key: self.key, condition: Sorted::NEW }
    }
}

impl<P: Path> SelectedField for Entry<P>
where
    P::Value: Map,
{
    type Root = P::Root;
    type Value = InRow<ValueAt<P>>;
    const INFO: &'static PathInfo = <ValueAt<P> as Parent>::INFO;
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        binds.push(SqlValue::Text(self.key.clone()));
    }
}

/// A condition on the value under a key that is a parameter too, or an order by it. Its text names the key once, before
/// the value.
pub struct Keyed<C> {
    key: String,
    condition: C,
}

impl<C> Keyed<C> {
    /// The same of the same key.
    pub(super) fn with<Z>(self, condition: Z) -> Keyed<Z> {
        Keyed { key: self.key, condition }
    }

    pub(super) fn bind_key(&self, binds: &mut Vec<SqlValue>) {
        binds.push(SqlValue::Text(self.key.clone()));
    }
}

impl<C: Condition> Condition for Keyed<C> {
    type Root = C::Root;
    const NODE: &'static Node = C::NODE;
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.bind_key(binds);
        self.condition.bind(binds);
    }
}
