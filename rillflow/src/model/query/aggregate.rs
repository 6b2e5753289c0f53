//! The least, greatest, sum and mean of a field.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::capability::Orderable;
use super::path::{Column, DocumentValue, Path, ScalarOf};
use super::result::Decode;
use super::row::Row;
use super::tree::Aggregation;
use crate::Result;
use crate::model::Newtype;

/// A number.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number: `sum` and `avg` need one",
    label = "`{Self}` cannot be added up"
)]
#[doc(hidden)]
pub trait Numeric {
    /// What a sum of them is.
    type Sum: DocumentValue;
}

impl<T: Numeric> Numeric for Option<T> {
    type Sum = T::Sum;
}
#[diagnostic::do_not_recommend]
impl<T: Newtype> Numeric for T
where
    T::Inner: Numeric,
{
    type Sum = <T::Inner as Numeric>::Sum;
}

macro_rules! numeric {
    ($($sum:ty: $($type:ty)*;)*) => { $($(
        impl Numeric for $type {
            type Sum = $sum;
        }
    )*)* };
}
numeric! {
    i64: i8 i16 i32 i64 isize u8 u16 u32;
    u64: u64 usize;
    f64: f32 f64;
}
#[cfg(feature = "decimal")]
numeric! {
    rust_decimal::Decimal: rust_decimal::Decimal;
}

/// What is made of the values of a field.
///
/// Its result is a parameter of its type, so that a field that it is not made of is reported once, where it is named.
#[doc(hidden)]
pub trait Aggregating: 'static {
    /// What it gives, unless there is no value.
    type Value: DocumentValue;
    /// Its kind.
    const AGGREGATION: Aggregation;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $aggregation:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<V>(PhantomData<fn() -> V>);

        impl<V: DocumentValue> Aggregating for $name<V> {
            type Value = V;
            const AGGREGATION: Aggregation = Aggregation::$aggregation;
        }
    )* };
}
kinds! {
    /// The least value.
    Min: Min;
    /// The greatest value.
    Max: Max;
    /// The sum.
    Sum: Sum;
    /// The mean.
    Mean: Avg;
}

/// What the sum of the values at `P` is.
pub(super) type SumOf<P> = <<P as Path>::Value as Numeric>::Sum;

/// The result of a query with `min`, `max`, `sum` or `avg`.
#[diagnostic::on_unimplemented(
    message = "this query gives `Option<{T}>`, not `{Self}`",
    label = "expected `Option<{T}>`",
    note = "it is `None` when no document found has a value"
)]
#[doc(hidden)]
pub trait OfAll<T>: Sized {
    /// Makes it.
    fn of_all(query: &'static str, rows: &[Row<'_>]) -> Result<Self>;
}

impl<T: DeserializeOwned> OfAll<T> for Option<T> {
    fn of_all(_: &'static str, rows: &[Row<'_>]) -> Result<Self> {
        rows.first().map_or(Ok(None), |row| row.json(0))
    }
}

/// One value of all rows.
#[doc(hidden)]
pub const fn aggregate_of<T, Out: OfAll<T>>() -> Decode<Out> {
    Out::of_all
}

/// How the row of `.min(|c| c.field)` becomes the result. One call checks the field, so that a wrong one is reported once.
#[doc(hidden)]
pub const fn min<P: Path, Out: OfAll<ScalarOf<P>>>(_: Column<P>) -> Decode<Out>
where
    P::Value: Orderable,
{
    Out::of_all
}

/// As [`min()`].
#[doc(hidden)]
pub const fn max<P: Path, Out: OfAll<ScalarOf<P>>>(_: Column<P>) -> Decode<Out>
where
    P::Value: Orderable,
{
    Out::of_all
}

/// As [`min()`].
#[doc(hidden)]
pub const fn sum<P: Path, Out>(_: Column<P>) -> Decode<Out>
where
    P::Value: Numeric,
    Out: OfAll<SumOf<P>>,
{
    Out::of_all
}

/// As [`min()`].
#[doc(hidden)]
pub const fn avg<P: Path, Out: OfAll<f64>>(_: Column<P>) -> Decode<Out>
where
    P::Value: Numeric,
{
    Out::of_all
}
