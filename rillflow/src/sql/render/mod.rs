//! The const renderer: typed queries and declared collections into SQL, while the program compiles.
//!
//! Everything is written twice by the same code: once to count the bytes, once to fill an array of exactly that size.
//! Tables and functions are qualified with `public.`, which a store in another schema replaces once.

mod ddl;
mod expression;
mod find;
mod statement;
mod writer;

pub use ddl::Table;
use writer::Writer;

use crate::model::query::tree::{IndexDefinition, Statement};

/// What can be rendered.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A query.
    Statement(&'a Statement),
    /// `CREATE TABLE` of a collection.
    Table(&'a Table),
    /// `CREATE INDEX` on the table of that name.
    Index(&'static str, &'a IndexDefinition),
}

/// How long the text will be.
#[doc(hidden)]
#[must_use]
pub const fn length(source: Source<'_>) -> usize {
    let mut writer = Writer::<0>::new();
    writer.source(source);
    writer.length()
}

/// The text, `N` bytes of it.
#[doc(hidden)]
#[must_use]
pub const fn bytes<const N: usize>(source: Source<'_>) -> [u8; N] {
    let mut writer = Writer::<N>::new();
    writer.source(source);
    writer.finish()
}

/// Rendered bytes as text.
#[doc(hidden)]
#[must_use]
pub const fn text(bytes: &'static [u8]) -> &'static str {
    match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("the renderer copies whole strings only"),
    }
}

/// The text of a const source, as a `&'static str` of exactly its length.
#[doc(hidden)]
#[macro_export]
macro_rules! __sql_text {
    ($source:expr) => {{
        const SOURCE: $crate::__private::Source<'static> = $source;
        const BYTES: [u8; $crate::__private::length(SOURCE)] = $crate::__private::bytes(SOURCE);
        $crate::__private::text(&BYTES)
    }};
}

impl<const N: usize> Writer<N> {
    const fn source(&mut self, source: Source<'_>) {
        match source {
            Source::Statement(statement) => self.statement(statement),
            Source::Table(table) => self.table(table),
            Source::Index(table, index) => self.index(table, index),
        }
    }
}
