//! Dynamic queries: send the text that was put together, hand the rows' bytes on.

use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::ask::{query_scalar_with, query_with};
use super::bind::arguments;
use super::documents::jsonb;
use super::rows::{Reader, Statement};
use crate::model::DocumentQueryContext;
use crate::sql::{Texts, dynamic};
use crate::{Error, Result};

/// What a query sends.
pub(crate) fn statement(texts: &Texts, query: &DocumentQueryContext) -> Result<Statement> {
    let (text, values) = dynamic::render(query)?;
    Ok(Statement { text: texts.once(&text), arguments: arguments(values)? })
}

/// Runs a query whose rows are JSON.
pub(crate) async fn fetch<T>(
    conn: &mut PgConnection,
    texts: &Texts,
    query: &DocumentQueryContext,
    read: impl Fn(&[u8]) -> Result<T>,
) -> Result<Vec<T>> {
    let Statement { text, arguments } = statement(texts, query)?;
    let rows = query_with(text, arguments).fetch_all(conn).await?;
    rows.iter().map(|row| read(jsonb(row, 0)?)).collect()
}

/// Runs a query for a number of rows.
pub(crate) async fn count(conn: &mut PgConnection, texts: &Texts, query: &DocumentQueryContext) -> Result<i64> {
    let Statement { text, arguments } = statement(texts, query)?;
    Ok(query_scalar_with(text, arguments).fetch_one(conn).await?)
}

/// Each row's JSON as `R`; the text names the query in errors.
pub(crate) struct Parsed<R>(String, std::marker::PhantomData<fn() -> R>);

impl<R> Parsed<R> {
    pub(crate) fn new(what: String) -> Self {
        Self(what, std::marker::PhantomData)
    }
}

impl<R: DeserializeOwned + Send> Reader for Parsed<R> {
    type Item = R;

    fn row(&mut self, row: &PgRow) -> Result<Option<R>> {
        let parsed = serde_json::from_slice(jsonb(row, 0)?);
        parsed.map(Some).map_err(|source| Error::Decode { what: self.0.clone(), source })
    }
}
