//! The const renderer: typed queries and declared collections into SQL, while the program compiles.
//!
//! Everything is written twice by the same code: once to count the bytes, once to fill an array of exactly that size.
//! Tables and functions are qualified with `public.`, which a store in another schema replaces once.

mod condition;
mod containment;
mod ddl;
mod field;
mod find;
mod page;
mod search;
mod statement;
mod writer;

pub use ddl::{ForeignKeyDefinition, Table};
use writer::Writer;

use crate::model::query::tree::{IndexDefinition, PathInfo, Statement};

/// What can be rendered.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A query.
    Statement(&'a Statement),
    /// `CREATE TABLE` of a collection.
    Table(&'a Table),
    /// `ALTER TABLE` of a collection, for a field's column.
    AddColumn(&'a Table, &'static PathInfo),
    /// `ALTER TABLE` of a collection, for a reference to another.
    ForeignKey(&'a Table, &'a ForeignKeyDefinition),
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

/// Rendered text: `N` bytes, of which the first are the text and any others are zero.
#[doc(hidden)]
#[derive(Debug)]
pub struct Rendered<const N: usize>([u8; N]);

impl<const N: usize> Rendered<N> {
    /// The text as a string.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        // SAFETY: the writer appends whole strings only, and zeros are UTF-8 too. Checking it byte by byte was a
        // quarter of what a compiled query cost the compiler.
        unsafe { str::from_utf8_unchecked(&self.0) }
    }
}

/// The text, in a buffer of `N` bytes.
#[doc(hidden)]
#[must_use]
pub const fn render<const N: usize>(source: Source<'_>) -> Rendered<N> {
    let mut writer = Writer::<N>::new();
    writer.source(source);
    Rendered(writer.finish())
}

/// The text of a const source, as a `&'static str` of exactly its length.
#[doc(hidden)]
#[macro_export]
macro_rules! __sql_text {
    ($source:expr) => {{
        const SOURCE: $crate::__private::Source<'static> = $source;
        const TEXT: &$crate::__private::Rendered<{ $crate::__private::length(SOURCE) }> =
            &$crate::__private::render(SOURCE);
        TEXT.as_str()
    }};
}

impl<const N: usize> Writer<N> {
    const fn source(&mut self, source: Source<'_>) {
        match source {
            Source::Statement(statement) => self.statement(statement),
            Source::Table(table) => self.table(table),
            Source::AddColumn(table, path) => self.add_column(table, path),
            Source::ForeignKey(table, key) => self.foreign_key(table, key),
            Source::Index(table, index) => self.index(table, index),
        }
    }
}
