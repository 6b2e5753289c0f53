//! Orders: what `order_by` takes.

use std::marker::PhantomData;

use super::path::{Column, Orderable, Path, Tag};
use super::tree::SortKey;

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
pub trait Key {
    /// What it sorts.
    type Root;
    /// The key.
    const KEY: SortKey;
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
pub trait OrderBy {
    /// What it sorts.
    type Root;
    /// The keys, the most important first.
    #[doc(hidden)]
    const KEYS: &'static [SortKey];
}

impl<P: Path, const DESCENDING: bool, const NULLS_FIRST: bool> OrderBy for Sorted<P, DESCENDING, NULLS_FIRST> {
    type Root = P::Root;
    const KEYS: &'static [SortKey] = &[Self::KEY];
}

/// No order.
pub struct Unordered<D>(Tag<D>);

impl<D> OrderBy for Unordered<D> {
    type Root = D;
    const KEYS: &'static [SortKey] = &[];
}

macro_rules! tuples {
    ($([$($key:ident)*])*) => { $(
        impl<R, $($key: Key<Root = R>),*> OrderBy for ($($key,)*) {
            type Root = R;
            const KEYS: &'static [SortKey] = &[$($key::KEY),*];
        }
    )* };
}
tuples!([A] [A B] [A B C] [A B C D] [A B C D E] [A B C D E F]);

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
