//! Values as sqlx's arguments.

use sqlx::postgres::PgArguments;
use sqlx::{Arguments, Postgres};

use crate::model::{SqlType, SqlValue};
use crate::{Error, PayloadProblem, Result};

/// The parameters of a statement, in order.
pub(crate) fn arguments(values: Vec<SqlValue>) -> Result<PgArguments> {
    let mut arguments = PgArguments::default();
    add_all(&mut arguments, values)?;
    Ok(arguments)
}

/// More parameters after those that are there.
pub(super) fn add_all(arguments: &mut PgArguments, values: impl IntoIterator<Item = SqlValue>) -> Result<()> {
    values.into_iter().try_for_each(|value| add(arguments, value))
}

fn add(arguments: &mut PgArguments, value: SqlValue) -> Result<()> {
    let texts = match &value {
        SqlValue::Text(text) => std::slice::from_ref(text),
        SqlValue::Texts(texts) => texts,
        _ => &[],
    };
    if texts.iter().any(|text| text.contains('\0')) {
        return Err(Error::Payload { what: "a parameter".to_owned(), problem: PayloadProblem::Nul });
    }
    match value {
        SqlValue::Null(sql_type) => add_null(arguments, sql_type),
        SqlValue::NullArray(sql_type) => add_null_array(arguments, sql_type),
        // JSON travels as text: its `$n` is cast, and the server parses it once either way
        SqlValue::Text(v) | SqlValue::Json(v) => push(arguments, v),
        SqlValue::Int(v) => push(arguments, v),
        SqlValue::Float(v) => push(arguments, v),
        SqlValue::Bool(v) => push(arguments, v),
        SqlValue::Uuid(v) => push(arguments, v),
        SqlValue::Time(v) => push(arguments, v),
        SqlValue::Texts(v) => push(arguments, v),
        SqlValue::Ints(v) => push(arguments, v),
        SqlValue::Floats(v) => push(arguments, v),
        SqlValue::Bools(v) => push(arguments, v),
        SqlValue::Uuids(v) => push(arguments, v),
        SqlValue::Times(v) => push(arguments, v),
    }
}

fn add_null(arguments: &mut PgArguments, sql_type: SqlType) -> Result<()> {
    match sql_type {
        SqlType::Int => push(arguments, None::<i64>),
        SqlType::Float => push(arguments, None::<f64>),
        SqlType::Bool => push(arguments, None::<bool>),
        SqlType::Uuid => push(arguments, None::<uuid::Uuid>),
        SqlType::Time => push(arguments, None::<chrono::DateTime<chrono::Utc>>),
        // the others travel as text
        _ => push(arguments, None::<String>),
    }
}

fn add_null_array(arguments: &mut PgArguments, sql_type: SqlType) -> Result<()> {
    match sql_type {
        SqlType::Int => push(arguments, None::<Vec<i64>>),
        SqlType::Float => push(arguments, None::<Vec<f64>>),
        SqlType::Bool => push(arguments, None::<Vec<bool>>),
        SqlType::Uuid => push(arguments, None::<Vec<uuid::Uuid>>),
        SqlType::Time => push(arguments, None::<Vec<chrono::DateTime<chrono::Utc>>>),
        _ => push(arguments, None::<Vec<String>>),
    }
}

/// One more parameter.
pub(super) fn push<'q, T>(arguments: &mut PgArguments, value: T) -> Result<()>
where
    T: sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres>,
{
    arguments.add(value).map_err(|e| Error::Encode { what: "a parameter".to_owned(), reason: e.to_string() })
}
