//! Statements for rows, and rows as bytes: what typed and dynamic queries have in common.

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{AssertSqlSafe, PgConnection, Row as _, SqlSafeStr, ValueRef as _};

use super::ask::query_with;
use super::failure::not_ours;
use crate::model::JsonFormat;
use crate::model::query::{Query, Row};
use crate::sql::Text;
use crate::{Error, Result};

/// A statement with its parameters.
pub(crate) struct Statement {
    pub(super) text: Text,
    pub(super) arguments: PgArguments,
}

impl Statement {
    /// Whether its rows can be read in a transaction only.
    pub(crate) fn in_transaction(&self) -> bool {
        self.text.in_transaction()
    }
}

/// Sends a statement, and hands on its rows as they come from the socket: none is read ahead.
pub(crate) fn fetch(conn: &mut PgConnection, statement: Statement) -> BoxStream<'_, Result<PgRow>> {
    query_with(statement.text, statement.arguments).fetch(conn).map_err(Error::from).boxed()
}

/// How PostgreSQL would run a statement, line by line.
pub(crate) async fn explain(conn: &mut PgConnection, statement: Statement) -> Result<String> {
    // audited: the text is the query's own, which runs as it stands
    let explain = AssertSqlSafe(format!("EXPLAIN {}", statement.text.as_str())).into_sql_str();
    let text = statement.text.like(explain);
    let lines = query_with(text, statement.arguments).persistent(false).fetch_all(conn).await?;
    let lines: Vec<String> = lines.iter().map(|line| line.try_get(0)).collect::<sqlx::Result<_>>()?;
    Ok(lines.join("\n"))
}

/// The columns of a row.
pub(super) fn cells(row: &PgRow) -> Result<Vec<Option<&[u8]>>> {
    (0..row.len()).map(|column| bytes(row, column)).collect()
}

pub(super) fn bytes(row: &PgRow, column: usize) -> Result<Option<&[u8]>> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Ok(None);
    }
    value.as_bytes().map(Some).map_err(|e| not_ours("a query's row", e))
}

/// Makes the items of a stream out of rows, one row at a time.
pub(crate) trait Reader: Send {
    type Item: Send;
    /// Takes a row, and gives an item when there is one.
    fn row(&mut self, row: &PgRow) -> Result<Option<Self::Item>>;
    /// Gives what is left after the last row.
    fn end(&mut self) -> Option<Self::Item> {
        None
    }
}

/// Each row as the query decodes it.
pub(crate) struct Decoded<Q, T> {
    query: Q,
    row: std::marker::PhantomData<fn() -> T>,
}

impl<Q, T> Decoded<Q, T> {
    pub(crate) fn new(query: Q) -> Self {
        Self { query, row: std::marker::PhantomData }
    }
}

impl<T: Send, Q: Query<Vec<T>>> Reader for Decoded<Q, T> {
    type Item = T;

    fn row(&mut self, row: &PgRow) -> Result<Option<T>> {
        Ok(self.query.decode(&[Row::new(&cells(row)?)])?.pop())
    }
}

/// The first column of each row as bytes of JSON text, in chunks.
pub(crate) struct Json {
    format: JsonFormat,
    chunk: Vec<u8>,
    begun: bool,
}

/// A chunk is handed on when it holds so many bytes.
const CHUNK: usize = 16 << 10;

impl Json {
    pub(crate) fn new(format: JsonFormat) -> Self {
        Self { format, chunk: Vec::new(), begun: false }
    }

    fn begin(&mut self) {
        let before: &[u8] = match (self.format, std::mem::replace(&mut self.begun, true)) {
            (JsonFormat::Array, false) => b"[",
            (JsonFormat::Array, true) => b",",
            (JsonFormat::Lines, _) => b"",
        };
        self.chunk.extend_from_slice(before);
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.chunk)
    }
}

impl Reader for Json {
    type Item = Vec<u8>;

    fn row(&mut self, row: &PgRow) -> Result<Option<Vec<u8>>> {
        self.begin();
        self.chunk.extend_from_slice(Row::new(&[bytes(row, 0)?]).json_bytes(0));
        if self.format == JsonFormat::Lines {
            self.chunk.push(b'\n');
        }
        Ok((self.chunk.len() >= CHUNK).then(|| self.take()))
    }

    fn end(&mut self) -> Option<Vec<u8>> {
        if self.format == JsonFormat::Array {
            if !self.begun {
                self.begin();
            }
            self.chunk.push(b']');
        }
        (!self.chunk.is_empty()).then(|| self.take())
    }
}
