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
        // jsonb travels as a version byte, 1, and its text; no JSON text begins with that byte
        match self.cell(column) {
            [] => b"null",
            [1, text @ ..] => text,
            text => text,
        }
    }

    /// As [`json_bytes`](Self::json_bytes), as text.
    pub(crate) fn json_text(&self, column: usize) -> Result<&'a str> {
        std::str::from_utf8(self.json_bytes(column)).map_err(|e| unreadable("a document", e))
    }

    /// Reads a `bigint` column; NULL reads as 0.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] when the column is of another type.
    pub fn int(&self, column: usize) -> Result<i64> {
        match self.cell(column) {
            [] => Ok(0),
            bytes => bytes.try_into().map(i64::from_be_bytes).map_err(|e| unreadable("a bigint", e)),
        }
    }

    /// Reads a `boolean` column; NULL reads as false.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] when the column is of another type.
    pub fn bool(&self, column: usize) -> Result<bool> {
        match self.cell(column) {
            [] | [0] => Ok(false),
            [1] => Ok(true),
            bytes => Err(unreadable("a boolean", format_args!("{} bytes", bytes.len()))),
        }
    }

    /// Reads a `text` column, `None` for NULL.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] when it is no text.
    pub fn text(&self, column: usize) -> Result<Option<&'a str>> {
        let bytes = self.cells.get(column).copied().flatten();
        bytes.map(|bytes| std::str::from_utf8(bytes).map_err(|e| unreadable("a text", e))).transpose()
    }
}

/// A column that is not what its query makes of it.
fn unreadable(what: &str, why: impl std::fmt::Display) -> Error {
    Error::Decode { what: what.to_owned(), source: serde::de::Error::custom(why) }
}

/// A result made of the one row of a query: a number, or whether there is something.
pub trait FromRow: Sized {
    /// Makes it.
    ///
    /// # Errors
    ///
    /// As [`Query::decode`](super::Query::decode).
    fn from_row(query: &'static str, rows: &[Row<'_>]) -> Result<Self>;
}

impl FromRow for i64 {
    fn from_row(_: &'static str, rows: &[Row<'_>]) -> Result<Self> {
        rows.first().map_or(Ok(0), |row| row.int(0))
    }
}

impl FromRow for bool {
    fn from_row(_: &'static str, rows: &[Row<'_>]) -> Result<Self> {
        rows.first().map_or(Ok(false), |row| row.bool(0))
    }
}

/// A result that holds rows.
pub trait FromRows: Sized {
    /// What it holds.
    type Item;
    /// Reads rows as `T` and makes an item of each; `query` names the query in errors.
    ///
    /// # Errors
    ///
    /// As [`Query::decode`](super::Query::decode).
    fn from_rows<T: DeserializeOwned>(
        query: &'static str,
        rows: &[Row<'_>],
        make: impl Fn(T) -> Self::Item,
    ) -> Result<Self>;
}

impl<I> FromRows for Vec<I> {
    type Item = I;
    fn from_rows<T: DeserializeOwned>(_: &'static str, rows: &[Row<'_>], make: impl Fn(T) -> I) -> Result<Self> {
        rows.iter().map(|row| row.json(0).map(&make)).collect()
    }
}

impl<I> FromRows for Option<I> {
    type Item = I;
    fn from_rows<T: DeserializeOwned>(query: &'static str, rows: &[Row<'_>], make: impl Fn(T) -> I) -> Result<Self> {
        match rows {
            [] => Ok(None),
            [row] => row.json(0).map(make).map(Some),
            _ => Err(Error::NotUnique { query }),
        }
    }
}
