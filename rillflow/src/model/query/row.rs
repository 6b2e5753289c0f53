//! Rows as bytes, and the results made of them.

use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// The columns of one row in PostgreSQL's binary form. The first is the document, or the count.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    cells: &'a [Option<&'a [u8]>],
}

impl<'a> Row<'a> {
    /// A row of these columns.
    #[must_use]
    pub fn new(cells: &'a [Option<&'a [u8]>]) -> Self {
        Self { cells }
    }

    fn cell(&self, column: usize) -> &'a [u8] {
        self.cells.get(column).copied().flatten().unwrap_or_default()
    }

    /// Reads a `jsonb` column as `T`, straight from the bytes; NULL reads as JSON `null`.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] when it does not fit.
    pub fn json<T: DeserializeOwned>(&self, column: usize) -> Result<T> {
        serde_json::from_slice(self.json_bytes(column))
            .map_err(|source| Error::Decode { what: std::any::type_name::<T>().to_owned(), source })
    }

    /// The text of a `jsonb` column; NULL reads as `null`.
    pub(crate) fn json_bytes(&self, column: usize) -> &'a [u8] {
        // jsonb travels as a version byte and its text; `1` cannot begin a document that we store
        match self.cell(column) {
            [] => b"null",
            [1, text @ ..] => text,
            text => text,
        }
    }

    /// As [`json_bytes`](Self::json_bytes). PostgreSQL sends UTF-8; anything else reads as nothing.
    pub(crate) fn json_text(&self, column: usize) -> &'a str {
        std::str::from_utf8(self.json_bytes(column)).unwrap_or_default()
    }

    /// Reads a `bigint` column; NULL reads as 0.
    #[must_use]
    pub fn int(&self, column: usize) -> i64 {
        self.cell(column).try_into().map(i64::from_be_bytes).unwrap_or_default()
    }

    /// Reads a `boolean` column; NULL reads as false.
    #[must_use]
    pub fn bool(&self, column: usize) -> bool {
        self.cell(column) == [1]
    }

    /// Reads a `text` column, `None` for NULL.
    #[must_use]
    pub fn text(&self, column: usize) -> Option<&'a str> {
        self.cells.get(column).copied().flatten().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }
}

/// A result made of all rows of a query.
pub trait FromRows: Sized {
    /// Makes it; `query` names the query in errors.
    ///
    /// # Errors
    ///
    /// As [`Query::decode`](super::Query::decode).
    fn from_rows(query: &'static str, rows: &[Row<'_>]) -> Result<Self>;
}

impl<T: DeserializeOwned> FromRows for Vec<T> {
    fn from_rows(_: &'static str, rows: &[Row<'_>]) -> Result<Self> {
        rows.iter().map(|row| row.json(0)).collect()
    }
}

impl<T: DeserializeOwned> FromRows for Option<T> {
    fn from_rows(query: &'static str, rows: &[Row<'_>]) -> Result<Self> {
        match rows {
            [] => Ok(None),
            [row] => row.json(0).map(Some),
            _ => Err(Error::NotUnique { query }),
        }
    }
}

impl FromRows for i64 {
    fn from_rows(_: &'static str, rows: &[Row<'_>]) -> Result<Self> {
        Ok(rows.first().map_or(0, |row| row.int(0)))
    }
}

impl FromRows for bool {
    fn from_rows(_: &'static str, rows: &[Row<'_>]) -> Result<Self> {
        Ok(rows.first().is_some_and(|row| row.bool(0)))
    }
}
