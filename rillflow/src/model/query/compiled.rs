//! What a `#[compiled_query]` function returns.

use std::fmt;

use super::{Decode, Query, Row};
use crate::Result;
use crate::model::SqlValue;

/// A compiled query with its arguments.
#[doc(hidden)]
pub struct Compiled<Out> {
    name: &'static str,
    sql: &'static str,
    binds: Vec<SqlValue>,
    decode: Decode<Out>,
}

impl<Out> Compiled<Out> {
    /// The query `name` with this text and these arguments.
    pub fn new(name: &'static str, sql: &'static str, binds: Vec<SqlValue>, decode: Decode<Out>) -> Self {
        Self { name, sql, binds, decode }
    }

    /// What stands in for a query that did not compile, so that its callers still do.
    pub fn refused() -> Self {
        unreachable!("the query did not compile")
    }
}

impl<Out> Query<Out> for Compiled<Out> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn sql(&self) -> &'static str {
        self.sql
    }
    fn binds(&self) -> Vec<SqlValue> {
        self.binds.clone()
    }
    fn decode(&self, rows: &[Row<'_>]) -> Result<Out> {
        (self.decode)(self.name, rows)
    }
}

impl<Out> fmt::Debug for Compiled<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("name", &self.name).field("sql", &self.sql).field("binds", &self.binds).finish()
    }
}
