//! Typed queries as values: paths of zero size, a const tree of conditions, and what a query gives back.

pub mod text;

mod find;
mod row;

pub use find::Find;
pub use row::{FromRows, Row};

use super::SqlValue;
use crate::Result;

/// The paths of a document's fields; the derives write it.
#[doc(hidden)]
pub trait PathSet: Copy + 'static {
    /// The one value.
    const NEW: Self;
}

/// A query whose text was made by rustc. `#[compiled_query]` returns one.
///
/// Object safe: `Box<dyn Query<Vec<Customer>>>` works.
pub trait Query<Out>: Send + Sync {
    /// The function's name, for logs and errors.
    fn name(&self) -> &'static str;
    /// The statement, for the default schema.
    fn sql(&self) -> &'static str;
    /// Its parameters, in order.
    fn binds(&self) -> Vec<SqlValue>;
    /// Makes the result of the rows found.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`](crate::Error::Decode) when a row does not fit, [`Error::NotUnique`](crate::Error::NotUnique)
    /// when one row was asked for and more were found.
    fn decode(&self, rows: &[Row<'_>]) -> Result<Out>;
}
