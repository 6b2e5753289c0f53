//! Values in queries: what can be compared with what, and how a value travels as a parameter.

use std::marker::PhantomData;

use super::path::{Column, Path, ScalarOf, Tag};
use super::tree::Operand;
use crate::model::SqlValue;

/// A Rust value that a query can carry.
///
/// It says nothing of the field it is compared with, so that a wrong type is reported once, at the value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a value in a query",
    label = "not a query value",
    note = "derive `DocumentValue` on enums and newtypes"
)]
pub trait Value: Send + Sync {
    /// How the text names it.
    const OPERAND: Operand;
    /// Adds it to the parameters, if it is one.
    fn bind(&self, binds: &mut Vec<SqlValue>);
}

/// A value that may stand beside a field of type `T`.
#[diagnostic::on_unimplemented(
    message = "cannot compare a `{T}` field with a value of type `{Self}`",
    label = "expected a `{T}`, found `{Self}`"
)]
pub trait ComparableTo<T: ?Sized>: Value {}

/// A number of rows.
#[diagnostic::on_unimplemented(
    message = "`limit` and `offset` take a number of rows as `i64`, not `{Self}`",
    label = "expected an `i64`, found `{Self}`"
)]
#[doc(hidden)]
pub trait RowCount: Value {}

#[diagnostic::do_not_recommend]
impl<U: Value + ?Sized> Value for &U {
    const OPERAND: Operand = U::OPERAND;
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        (**self).bind(binds);
    }
}

#[diagnostic::do_not_recommend]
impl<T: ?Sized, U: ComparableTo<T> + ?Sized> ComparableTo<T> for &U {}

/// Parameter number `N` of a compiled query, of type `U`.
pub struct Argument<const N: u16, U>(Tag<U>);

impl<const N: u16, U> Argument<N, U> {
    /// The one value.
    pub const NEW: Self = Self(PhantomData);
}

impl<const N: u16, U: Value> Value for Argument<N, U> {
    const OPERAND: Operand = U::OPERAND.numbered(N);
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

impl<const N: u16, T: ?Sized, U: ComparableTo<T>> ComparableTo<T> for Argument<N, U> {}
impl<const N: u16, U: RowCount> RowCount for Argument<N, U> {}

/// Parameter number `N`, whose type is what a computation gives: rustc infers it from a function that is never called.
#[doc(hidden)]
pub const fn computed<const N: u16, A, U>(_: fn(A) -> U) -> Argument<N, U> {
    Argument::NEW
}

/// Another field of the same document, or of the same element.
impl<P: Path> Value for Column<P> {
    const OPERAND: Operand = Operand::Field(P::INFO);
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

#[diagnostic::do_not_recommend]
impl<T: ?Sized, P: Path> ComparableTo<T> for Column<P> where ScalarOf<P>: ComparableTo<T> {}

/// A value that the closure of `filter_if` sees: absent, its condition is not looked at.
#[derive(Clone, Copy, Debug)]
pub struct Perhaps<V>(pub(super) Option<V>);

impl<V: Value> Value for Perhaps<V> {
    const OPERAND: Operand = V::OPERAND;
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.0.bind(binds);
    }
}

impl<T: ?Sized, V: ComparableTo<T>> ComparableTo<T> for Perhaps<V> {}

/// An argument that may be absent.
#[diagnostic::on_unimplemented(
    message = "`filter_if` takes an `Option`: `{Self}` is never absent",
    label = "expected an `Option<_>`",
    note = "for a condition that always holds, use `filter`"
)]
#[doc(hidden)]
pub trait Optional {
    /// What it is when it is there.
    type Item: Value;
}

impl<V: Value> Optional for Option<V> {
    type Item = V;
}

/// An `Option` where it is known to be there. That it is one, only the comparison checks: one message is enough.
pub struct Present<U>(Tag<U>);

impl<U: Value> Value for Present<U> {
    const OPERAND: Operand = U::OPERAND;
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

#[diagnostic::do_not_recommend]
impl<T: ?Sized, U: Optional + Value> ComparableTo<T> for Present<U> where U::Item: ComparableTo<T> {}

/// What the argument `N` of type `U` is when it is there.
#[doc(hidden)]
pub const fn present<const N: u16, U>() -> Argument<N, Present<U>> {
    Argument::NEW
}

/// A literal or an enum's constant: part of the text. `#[compiled_query]` writes one type per literal.
#[doc(hidden)]
pub trait Literal: 'static {
    /// What it can be compared as.
    type As;
    /// Its SQL.
    const SQL: &'static str;
}

/// The value of a [`Literal`].
pub struct Inline<L>(Tag<L>);

impl<L> Inline<L> {
    /// The one value.
    pub const NEW: Self = Self(PhantomData);
}

impl<L: Literal> Value for Inline<L> {
    const OPERAND: Operand = Operand::Inline(L::SQL);
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

impl<T: ?Sized, L: Literal> ComparableTo<T> for Inline<L> where L::As: ComparableTo<T> {}
impl<L: Literal> RowCount for Inline<L> where L::As: RowCount {}

/// A list of literals: part of the text.
#[doc(hidden)]
pub trait LiteralList: 'static {
    /// What its elements can be compared as.
    type As;
    /// The SQL of each.
    const SQL: &'static [&'static str];
}

/// The value of a [`LiteralList`].
pub struct InlineList<L>(Tag<L>);

impl<L> InlineList<L> {
    /// The one value.
    pub const NEW: Self = Self(PhantomData);
}

impl<L: LiteralList> Value for InlineList<L> {
    const OPERAND: Operand = Operand::InlineList(L::SQL);
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

impl<T, L: LiteralList> ComparableTo<[T]> for InlineList<L> where L::As: ComparableTo<T> {}

/// Adds an argument to the parameters. When its type is not a [`Value`], the place of its use has already said so, and
/// [`BindNothing`] keeps this call from saying it again.
pub struct Bind<'a, T>(pub &'a T);

impl<T: Value> Bind<'_, T> {
    /// Adds it.
    pub fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.0.bind(binds);
    }
}

/// See [`Bind`].
#[doc(hidden)]
pub trait BindNothing {
    /// Does nothing.
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

impl<T> BindNothing for Bind<'_, T> {}

/// How the text names `value`, a number of rows.
#[doc(hidden)]
pub const fn rows_operand<V: RowCount>(_: &V) -> Operand {
    V::OPERAND
}
