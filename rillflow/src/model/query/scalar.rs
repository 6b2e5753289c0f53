//! Which Rust types fields and values may have.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, Local, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use uuid::Uuid;

use super::capability::{Flag, List, Map, Nullable, Orderable, Text};
use super::operand::{ComparableTo, RowCount, Value};
use super::path::{Column, DocumentValue, Path};
use super::presence::Maybe;
use super::tree::{Arity, Operand};
use crate::model::{Newtype, SqlType, SqlValue, StreamId, instant};

/// A scalar: its column type, and how it becomes a parameter.
macro_rules! scalar {
    ($($type:ty as $sql:ident $(+ $capability:ident)*: |$value:ident| $bound:expr;)*) => { $(
        impl DocumentValue for $type {
            type Scalar = $type;
            const SQL_TYPE: SqlType = SqlType::$sql;
            type Paths<P: Path> = Column<P>;
        }
        impl Value for $type {
            const OPERAND: Operand = Operand::Next(SqlType::$sql, Arity::One);
            fn bind(&self, binds: &mut Vec<SqlValue>) {
                let $value = self;
                binds.push(SqlValue::$sql($bound));
            }
        }
        $(impl $capability for $type {})*
    )* };
}

scalar! {
    String as Text + Orderable + Text: |v| v.clone();
    bool as Bool + Flag: |v| *v;
    i8 as Int + Orderable: |v| i64::from(*v);
    i16 as Int + Orderable: |v| i64::from(*v);
    i32 as Int + Orderable: |v| i64::from(*v);
    i64 as Int + Orderable: |v| *v;
    u8 as Int + Orderable: |v| i64::from(*v);
    u16 as Int + Orderable: |v| i64::from(*v);
    u32 as Int + Orderable: |v| i64::from(*v);
    f32 as Float + Orderable: |v| as_written(*v);
    f64 as Float + Orderable: |v| *v;
    Uuid as Uuid + Orderable: |v| *v;
    StreamId as Uuid + Orderable: |v| v.0;
    DateTime<Utc> as Time + Orderable: |v| instant::as_stored(*v);
    DateTime<FixedOffset> as Time + Orderable: |v| instant::as_stored(v.to_utc());
    DateTime<Local> as Time + Orderable: |v| instant::as_stored(v.to_utc());
    Cow<'static, str> as Text + Orderable + Text: |v| v.clone().into_owned();
    Box<str> as Text + Orderable + Text: |v| v.to_string();
    Arc<str> as Text + Orderable + Text: |v| v.to_string();
    char as Text + Orderable: |v| v.to_string();
    isize as Int + Orderable: |v| *v as i64;
}

/// A scalar that travels as text, which PostgreSQL reads as it reads what is stored.
macro_rules! scalar_as_text {
    ($($type:ty as $sql:ident: |$value:ident| $text:expr;)*) => { $(
        impl DocumentValue for $type {
            type Scalar = $type;
            const SQL_TYPE: SqlType = SqlType::$sql;
            type Paths<P: Path> = Column<P>;
        }
        impl Value for $type {
            const OPERAND: Operand = Operand::Next(SqlType::$sql, Arity::One);
            fn bind(&self, binds: &mut Vec<SqlValue>) {
                let $value = self;
                binds.push(SqlValue::Text($text));
            }
        }
        impl Orderable for $type {}
    )* };
}

scalar_as_text! {
    u64 as Numeric: |v| v.to_string();
    usize as Numeric: |v| v.to_string();
    NaiveDate as Date: |v| instant::date(*v);
    NaiveTime as TimeOfDay: |v| v.to_string();
    NaiveDateTime as LocalTime: |v| instant::local_time(*v);
}
#[cfg(feature = "decimal")]
scalar_as_text! {
    rust_decimal::Decimal as Decimal: |v| v.to_string();
}

/// The `f64` that the JSON of an `f32` reads as: 0.1, where `f64::from` gives 0.10000000149.
fn as_written(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::NAN)
}

/// Values that may stand beside fields of other types than their own; not worth listing in a message.
macro_rules! comparable {
    ($($type:ty => $($field:ty)*;)*) => { $($(
        #[diagnostic::do_not_recommend]
        impl ComparableTo<$field> for $type {}
    )*)* };
}

comparable! {
    String => String;
    str => String;
    bool => bool;
    Cow<'static, str> => String Cow<'static, str> Box<str> Arc<str>;
    String => Cow<'static, str> Box<str> Arc<str>;
    str => Cow<'static, str> Box<str> Arc<str>;
    Box<str> => String Cow<'static, str> Box<str> Arc<str>;
    Arc<str> => String Cow<'static, str> Box<str> Arc<str>;
    char => char String;
    i8 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    i16 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    i32 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    i64 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize;
    isize => i8 i16 i32 i64 isize u8 u16 u32 u64 usize;
    u8 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    u16 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    u32 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    u64 => u64 usize;
    usize => u64 usize;
    NaiveDate => NaiveDate;
    NaiveTime => NaiveTime;
    NaiveDateTime => NaiveDateTime;
    f32 => f32 f64;
    f64 => f32 f64;
    Uuid => Uuid;
    StreamId => StreamId;
    DateTime<Utc> => DateTime<Utc> DateTime<FixedOffset> DateTime<Local>;
    DateTime<FixedOffset> => DateTime<Utc> DateTime<FixedOffset> DateTime<Local>;
    DateTime<Local> => DateTime<Utc> DateTime<FixedOffset> DateTime<Local>;
    integer => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    float => f32 f64;
}

#[cfg(feature = "decimal")]
comparable! {
    rust_decimal::Decimal => rust_decimal::Decimal;
    i32 => rust_decimal::Decimal;
    i64 => rust_decimal::Decimal;
    integer => rust_decimal::Decimal;
    float => rust_decimal::Decimal;
}

impl RowCount for i64 {}
impl RowCount for i32 {}
impl RowCount for u32 {}
impl RowCount for integer {}

/// An integer literal, as messages name it.
#[allow(non_camel_case_types, reason = "it reads as a type of the language in messages")]
#[derive(Debug)]
pub struct integer;

/// A float literal, as messages name it.
#[allow(non_camel_case_types, reason = "it reads as a type of the language in messages")]
#[derive(Debug)]
pub struct float;

/// Types without parameters. Literals are part of the text, and only take their type from here. The other types compare
/// with nothing: naming them here leaves one message for them, that of [`ComparableTo`].
macro_rules! without_parameter {
    ($([$($generic:tt)*] $type:ty;)*) => { $(
        impl<$($generic)*> Value for $type {
            const OPERAND: Operand = Operand::Inline("");
            fn bind(&self, _: &mut Vec<SqlValue>) {}
        }
    )* };
}
without_parameter! {
    [] integer;
    [] float;
    [] u128;
    [] i128;
    [] ();
}

/// A parameter that may be absent: `filter_if` takes it. Fields compare with no `Option`.
impl<T: Value> Value for Option<T> {
    const OPERAND: Operand = T::OPERAND;
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        match (self, T::OPERAND) {
            (Some(value), _) => value.bind(binds),
            (None, Operand::Next(sql_type, Arity::Array)) => binds.push(SqlValue::NullArray(sql_type)),
            (None, operand) => binds.push(SqlValue::Null(operand.sql_type())),
        }
    }
}

impl Value for str {
    const OPERAND: Operand = Operand::Next(SqlType::Text, Arity::One);
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        binds.push(SqlValue::Text(self.to_owned()));
    }
}

impl<T: DocumentValue> DocumentValue for Option<T> {
    type Scalar = T::Scalar;
    const SQL_TYPE: SqlType = T::SQL_TYPE;
    const NULLABLE: bool = true;
    const ITEM_SQL_TYPE: SqlType = T::ITEM_SQL_TYPE;
    const HAS_FIELDS: bool = T::HAS_FIELDS;
    type Paths<P: Path> = T::Paths<Maybe<P>>;
}
impl<T: Orderable> Orderable for Option<T> {}
impl<T: Text> Text for Option<T> {}
impl<T: Flag> Flag for Option<T> {}
impl<T> Nullable for Option<T> {}
impl<T: List> List for Option<T> {
    type Item = T::Item;
}

/// Lists: arrays in JSON.
macro_rules! lists {
    ($([$($generic:tt)*] $type:ty;)*) => { $(
        impl<T: DocumentValue, $($generic)*> DocumentValue for $type {
            type Scalar = $type;
            const SQL_TYPE: SqlType = SqlType::Json;
            const ITEM_SQL_TYPE: SqlType = T::SQL_TYPE;
            type Paths<P: Path> = Column<P>;
        }
        impl<T: DocumentValue, $($generic)*> List for $type {
            type Item = T;
        }
    )* };
}
lists! {
    [] Vec<T>;
    [] VecDeque<T>;
    [] BTreeSet<T>;
    [S: 'static] HashSet<T, S>;
    [const N: usize] [T; N];
}

/// What is written as if it were not there.
macro_rules! boxes {
    ($($type:ident)*) => { $(
        impl<T: DocumentValue> DocumentValue for $type<T> {
            type Scalar = T::Scalar;
            const SQL_TYPE: SqlType = T::SQL_TYPE;
            const NULLABLE: bool = T::NULLABLE;
            const ITEM_SQL_TYPE: SqlType = T::ITEM_SQL_TYPE;
            const HAS_FIELDS: bool = T::HAS_FIELDS;
            type Paths<P: Path> = T::Paths<P>;
        }
        impl<T: Flag> Flag for $type<T> {}
        impl<T: Nullable> Nullable for $type<T> {}
        impl<T: List> List for $type<T> {
            type Item = T::Item;
        }
        impl<T: Map> Map for $type<T> {
            type Item = T::Item;
        }
    )* };
}
boxes!(Box Arc);
// a `Box` is fundamental: these would meet those of newtypes below
impl<T: Orderable> Orderable for Arc<T> {}
impl<T: Text> Text for Arc<T> {}

/// Lists of values are parameters of an array type, for `one_of`.
macro_rules! arrays {
    ($([$($generic:tt)*] $type:ty;)*) => { $(
        impl<$($generic)*> Value for $type {
            const OPERAND: Operand = T::OPERAND.array();
            fn bind(&self, binds: &mut Vec<SqlValue>) {
                let mut values = Vec::with_capacity(self.len());
                self.iter().for_each(|value| value.bind(&mut values));
                binds.push(SqlValue::array(T::OPERAND.sql_type(), values));
            }
        }
    )* };
}
arrays! {
    [T: Value] Vec<T>;
    [T: Value] [T];
    [T: Value, const N: usize] [T; N];
}
impl<F, T: ComparableTo<F>> ComparableTo<[F]> for Vec<T> {}
impl<F, T: ComparableTo<F>> ComparableTo<[F]> for [T] {}
impl<F, T: ComparableTo<F>, const N: usize> ComparableTo<[F]> for [T; N] {}

/// JSON of no known shape: it is stored and selected, and may be null.
macro_rules! opaque {
    ($([$($generic:tt)*] $type:ty;)*) => { $(
        impl<$($generic)*> DocumentValue for $type {
            type Scalar = $type;
            const SQL_TYPE: SqlType = SqlType::Json;
            type Paths<P: Path> = Column<P>;
        }
    )* };
}
opaque! {
    [] serde_json::Value;
    [K: 'static, V: 'static, S: 'static] HashMap<K, V, S>;
    [K: 'static, V: 'static] BTreeMap<K, V>;
    [A: 'static] (A,);
    [A: 'static, B: 'static] (A, B);
    [A: 'static, B: 'static, C: 'static] (A, B, C);
    [A: 'static, B: 'static, C: 'static, D: 'static] (A, B, C, D);
}
impl<V: DocumentValue, S: 'static> Map for HashMap<String, V, S> {
    type Item = V;
}
impl<V: DocumentValue> Map for BTreeMap<String, V> {
    type Item = V;
}
impl<T: Map> Map for Option<T> {
    type Item = T::Item;
}
impl Nullable for serde_json::Value {}

#[diagnostic::do_not_recommend]
impl<T: Newtype> Orderable for T where T::Inner: Orderable {}
#[diagnostic::do_not_recommend]
impl<T: Newtype> Text for T where T::Inner: Text {}
