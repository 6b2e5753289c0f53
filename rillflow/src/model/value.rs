//! Values on their way to a statement's parameters.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The PostgreSQL types that typed queries know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqlType {
    /// `text`
    Text,
    /// `bigint`
    Int,
    /// `float8`
    Float,
    /// `boolean`
    Bool,
    /// `uuid`
    Uuid,
    /// `timestamptz`
    Time,
    /// `jsonb`
    Json,
    /// `numeric`, in JSON a number: integers that `bigint` does not hold.
    Numeric,
    /// `numeric`, in JSON a text: a decimal number of any precision.
    Decimal,
    /// `date`
    Date,
    /// `time`
    TimeOfDay,
    /// `timestamp`: a date and a time of no time zone.
    LocalTime,
}

impl SqlType {
    /// The type's name in SQL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "bigint",
            Self::Float => "float8",
            Self::Bool => "boolean",
            Self::Uuid => "uuid",
            Self::Time => "timestamptz",
            Self::Json => "jsonb",
            Self::Numeric | Self::Decimal => "numeric",
            Self::Date => "date",
            Self::TimeOfDay => "time",
            Self::LocalTime => "timestamp",
        }
    }
}

/// One parameter, in the type its `$n` is cast to. Types that have no variant here travel as text.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant is the type of its name")]
pub enum SqlValue {
    Null(SqlType),
    /// An array that is not there.
    NullArray(SqlType),
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Uuid(Uuid),
    Time(DateTime<Utc>),
    /// JSON text.
    Json(String),
    Texts(Vec<String>),
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Bools(Vec<bool>),
    Uuids(Vec<Uuid>),
    Times(Vec<DateTime<Utc>>),
}

impl SqlValue {
    /// An array of values that all have this type.
    pub(crate) fn array(sql_type: SqlType, values: Vec<Self>) -> Self {
        macro_rules! collect {
            ($one:ident, $many:ident) => {
                Self::$many(
                    values.into_iter().filter_map(|v| if let Self::$one(v) = v { Some(v) } else { None }).collect(),
                )
            };
        }
        match sql_type {
            SqlType::Text
            | SqlType::Json
            | SqlType::Numeric
            | SqlType::Decimal
            | SqlType::Date
            | SqlType::TimeOfDay
            | SqlType::LocalTime => collect!(Text, Texts),
            SqlType::Int => collect!(Int, Ints),
            SqlType::Float => collect!(Float, Floats),
            SqlType::Bool => collect!(Bool, Bools),
            SqlType::Uuid => collect!(Uuid, Uuids),
            SqlType::Time => collect!(Time, Times),
        }
    }
}
