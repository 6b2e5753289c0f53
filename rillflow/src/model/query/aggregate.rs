//! The least, greatest, sum and mean of a field.

use serde::de::DeserializeOwned;

use super::path::{Column, DocumentValue, Orderable, Path, ScalarOf};
use super::row::Row;
use super::select::Decode;
use super::tree::Aggregation;
use crate::Result;

/// A number.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number: `sum` and `avg` need one",
    label = "`{Self}` cannot be added up"
)]
#[doc(hidden)]
pub trait Numeric {
    /// What a sum of them is.
    type Sum;
}

impl<T: Numeric> Numeric for Option<T> {
    type Sum = T::Sum;
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

/// What is made of the values at the path `P`.
#[doc(hidden)]
pub trait Aggregating<P>: 'static {
    /// What it gives, unless there is no value.
    type Value;
    /// Its kind.
    const AGGREGATION: Aggregation;
}

/// The least value.
#[derive(Debug)]
pub struct Min;
/// The greatest value.
#[derive(Debug)]
pub struct Max;
/// The sum.
#[derive(Debug)]
pub struct Sum;
/// The mean.
#[derive(Debug)]
pub struct Mean;

impl<P: Path> Aggregating<P> for Min
where
    ScalarOf<P>: Sized,
{
    type Value = <P::Value as DocumentValue>::Scalar;
    const AGGREGATION: Aggregation = Aggregation::Min;
}

impl<P: Path> Aggregating<P> for Max
where
    ScalarOf<P>: Sized,
{
    type Value = <P::Value as DocumentValue>::Scalar;
    const AGGREGATION: Aggregation = Aggregation::Max;
}

impl<P: Path> Aggregating<P> for Sum
where
    P::Value: Numeric,
{
    type Value = <P::Value as Numeric>::Sum;
    const AGGREGATION: Aggregation = Aggregation::Sum;
}

impl<P: Path> Aggregating<P> for Mean
where
    P::Value: Numeric,
{
    type Value = f64;
    const AGGREGATION: Aggregation = Aggregation::Avg;
}

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
    ScalarOf<P>: Sized,
{
    Out::of_all
}

/// As [`min()`].
#[doc(hidden)]
pub const fn max<P: Path, Out: OfAll<ScalarOf<P>>>(_: Column<P>) -> Decode<Out>
where
    P::Value: Orderable,
    ScalarOf<P>: Sized,
{
    Out::of_all
}

/// As [`min()`].
#[doc(hidden)]
pub const fn sum<P: Path, Out: OfAll<<P::Value as Numeric>::Sum>>(_: Column<P>) -> Decode<Out>
where
    P::Value: Numeric,
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
