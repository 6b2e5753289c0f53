//! What a `#[compiled_query]` function returns.

use std::fmt;

use super::tree::Statement;
use super::{Cursor, Decode, Query, Row};
use crate::Result;
use crate::model::SqlValue;

/// A compiled query with its arguments.
#[doc(hidden)]
pub struct Compiled<Out> {
    name: &'static str,
    sql: &'static str,
    binds: Vec<SqlValue>,
    decode: Decode<Out>,
    after: Option<(Cursor, &'static Statement)>,
}

impl<Out> Compiled<Out> {
    /// The query `name` with this text and these arguments.
    pub fn new(name: &'static str, sql: &'static str, binds: Vec<SqlValue>, decode: Decode<Out>) -> Self {
        Self { name, sql, binds, decode, after: None }
    }

    /// The same after a cursor: it goes on with another text, of this statement, whose last parameter is the cursor.
    #[must_use]
    pub fn after(mut self, cursor: Option<Cursor>, sql: &'static str, statement: &'static Statement) -> Self {
        if let Some(cursor) = cursor {
            self.sql = sql;
            self.binds.push(SqlValue::Json(cursor.json().to_owned()));
            self.after = Some((cursor, statement));
        }
        self
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
    fn check(&self) -> Result<()> {
        self.after.as_ref().map_or(Ok(()), |(cursor, statement)| cursor.check(statement))
    }
    fn decode(&self, rows: &[Row<'_>]) -> Result<Out> {
        (self.decode)(self.name, rows)
    }
}

/// One of several queries, chosen while the program runs.
impl<Out> Query<Out> for Box<dyn Query<Out> + '_> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn sql(&self) -> &'static str {
        (**self).sql()
    }
    fn binds(&self) -> Vec<SqlValue> {
        (**self).binds()
    }
    fn check(&self) -> Result<()> {
        (**self).check()
    }
    fn decode(&self, rows: &[Row<'_>]) -> Result<Out> {
        (**self).decode(rows)
    }
}

impl<Out> fmt::Debug for Compiled<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("name", &self.name).field("sql", &self.sql).field("binds", &self.binds).finish()
    }
}
