//! Orders: what `order_by` takes.

use std::marker::PhantomData;

use super::capability::Orderable;
use super::entry::Keyed;
use super::path::{Column, Path, Tag};
use super::tree::SortKey;
use crate::model::SqlValue;

/// A field, least first or greatest first.
pub struct Sorted<P, const DESCENDING: bool, const NULLS_FIRST: bool>(Tag<P>);

impl<P: Path, const DESCENDING: bool, const NULLS_FIRST: bool> Sorted<P, DESCENDING, NULLS_FIRST> {
    pub(super) const NEW: Self = Self(PhantomData);

    /// Rows without a value before the others.
    pub const fn nulls_first(self) -> Sorted<P, DESCENDING, true> {
        Sorted(PhantomData)
    }

    /// Rows without a value after the others.
    pub const fn nulls_last(self) -> Sorted<P, DESCENDING, false> {
        Sorted(PhantomData)
    }
}

/// One key of an order.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a sort key",
    label = "say in which direction: `.asc()` or `.desc()`"
)]
#[doc(hidden)]
pub trait Key: Send + Sync {
    /// What it sorts.
    type Root;
    /// The key.
    const KEY: SortKey;
    /// Adds its values to the parameters.
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

impl<P: Path, const DESCENDING: bool, const NULLS_FIRST: bool> Key for Sorted<P, DESCENDING, NULLS_FIRST> {
    type Root = P::Root;
    const KEY: SortKey = SortKey { path: P::INFO, descending: DESCENDING, nulls_first: NULLS_FIRST };
}

/// An order: a key, or a tuple of keys.
#[diagnostic::on_unimplemented(
    message = "this does not say how to sort",
    label = "say in which direction: `.asc()` or `.desc()`, or a tuple of such keys"
)]
pub trait OrderBy: Send + Sync {
    /// What it sorts.
    type Root;
    /// The keys, the most important first.
    #[doc(hidden)]
    const KEYS: &'static [SortKey];
    /// Adds its values to the parameters.
    #[doc(hidden)]
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

impl<P: Path, const DESCENDING: bool, const NULLS_FIRST: bool> OrderBy for Sorted<P, DESCENDING, NULLS_FIRST> {
    type Root = P::Root;
    const KEYS: &'static [SortKey] = &[Self::KEY];
}

/// No order.
pub struct Unordered<D>(Tag<D>);

impl<D> Unordered<D> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<D> OrderBy for Unordered<D> {
    type Root = D;
    const KEYS: &'static [SortKey] = &[];
}

macro_rules! tuples {
    ($([$($key:ident $at:tt)*])*) => { $(
        impl<R, $($key: Key<Root = R>),*> OrderBy for ($($key,)*) {
            type Root = R;
            const KEYS: &'static [SortKey] = &[$($key::KEY),*];
            fn bind(&self, binds: &mut Vec<SqlValue>) {
                $(self.$at.bind(binds);)*
            }
        }
    )* };
}
tuples!(
    [A 0]
    [A 0 B 1]
    [A 0 B 1 C 2]
    [A 0 B 1 C 2 D 3]
    [A 0 B 1 C 2 D 3 E 4]
    [A 0 B 1 C 2 D 3 E 4 F 5]
);

/// A key of an order whose text names the key of a map.
impl<K: Key> Key for Keyed<K> {
    type Root = K::Root;
    const KEY: SortKey = K::KEY;
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.bind_key(binds);
    }
}

impl<K: Key> OrderBy for Keyed<K> {
    type Root = K::Root;
    const KEYS: &'static [SortKey] = &[K::KEY];
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.bind_key(binds);
    }
}

impl<P: Path, const DESCENDING: bool, const NULLS_FIRST: bool> Keyed<Sorted<P, DESCENDING, NULLS_FIRST>> {
    /// Rows without a value before the others.
    pub fn nulls_first(self) -> Keyed<Sorted<P, DESCENDING, true>> {
        self.with(Sorted(PhantomData))
    }

    /// Rows without a value after the others.
    pub fn nulls_last(self) -> Keyed<Sorted<P, DESCENDING, false>> {
        self.with(Sorted(PhantomData))
    }
}

impl<P: Path> Column<P> {
    /// Least first; rows without a value last.
    pub const fn asc(self) -> Sorted<P, false, false>
    where
        P::Value: Orderable,
    {
        Sorted(PhantomData)
    }

    /// Greatest first; rows without a value before them.
    pub const fn desc(self) -> Sorted<P, true, true>
    where
        P::Value: Orderable,
    {
        Sorted(PhantomData)
    }
}

/// The keys of an order.
#[doc(hidden)]
pub const fn keys_of<O: OrderBy>(_: &O) -> &'static [SortKey] {
    O::KEYS
}
