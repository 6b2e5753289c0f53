//! A store's own copy of each text: the schema's name put in, once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::combined::combine;
use super::filtered::patched;
use super::{FilteredWrite, PATCH_DOCUMENT, PATCHED_IN_STEPS};
use crate::model::Collection;
use crate::{Error, Result};

/// The schema that texts are written for.
const WRITTEN_FOR: &str = "public";

/// The collection that document statements are written for, and the type of its ids there.
const WRITTEN_COLLECTION: &str = "public.docs_collection";
const WRITTEN_ID: &str = "::uuid";

/// The name of the schema that a store lives in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SchemaName(Arc<str>);

impl SchemaName {
    /// Takes a name of 1 to 63 letters, digits and underscores that does not begin with a digit or `pg_`.
    ///
    /// Names are kept as they are: `App` and `app` are two schemas.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] for any other name.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let mut bytes = name.bytes();
        let first_ok = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        let rest_ok = bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if first_ok && rest_ok && name.len() <= 63 && !name.starts_with("pg_") {
            return Ok(Self(name.into()));
        }
        Err(Error::Schema {
            problem: format!("`{}` cannot be the name of a schema", name.escape_debug()),
            help: "use 1 to 63 letters, digits and underscores, not beginning with a digit or `pg_`".to_owned(),
        })
    }

    /// The name as it is.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as an identifier in SQL.
    pub(crate) fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

impl Default for SchemaName {
    fn default() -> Self {
        Self(WRITTEN_FOR.into())
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A document statement with what stands in `/*meta .. */`, or without.
fn with_metadata(text: &str, metadata: bool) -> String {
    let mut parts = text.split("/*meta");
    let mut composed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inside, after) = part.split_once("*/").unwrap_or((part, ""));
        composed.push_str(if metadata { inside } else { "" });
        composed.push_str(after);
    }
    composed
}

/// Whether the text of a query names this table, and not one whose name only begins like it.
pub(crate) fn names_table(text: &str, table: &str) -> bool {
    let goes_on = |next: char| next.is_ascii_alphanumeric() || next == '_';
    text.match_indices(table).any(|(at, _)| !text[at + table.len()..].starts_with(goes_on))
}

/// The text of a statement, and how it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    sql: SqlStr,
    /// Whether its preparation and its run must share a transaction: a pooler may hand them to two sessions otherwise.
    in_transaction: bool,
}

impl Text {
    /// See [`Texts::pooled`].
    pub(crate) fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Another text, sent like this one.
    pub(crate) fn like(&self, sql: SqlStr) -> Self {
        Self { sql, in_transaction: self.in_transaction }
    }
}

impl From<&'static str> for Text {
    fn from(sql: &'static str) -> Self {
        Self { sql: SqlStr::from_static(sql), in_transaction: false }
    }
}

impl std::ops::Deref for Text {
    type Target = SqlStr;

    fn deref(&self) -> &SqlStr {
        &self.sql
    }
}

impl SqlSafeStr for Text {
    fn into_sql_str(self) -> SqlStr {
        self.sql
    }
}

/// What a composed text is found by: the addresses of the written text and of the collection it is for.
type Key = (usize, usize);

/// What a statement names to be told of a key that is taken, and what it names where a tenant's keys are its own.
const WRITTEN_CONFLICT: &str = "ON CONFLICT (";
const CONFLICT_OF_TENANT: &str = "ON CONFLICT (tenant, ";

/// The texts of one store.
#[derive(Debug)]
pub(crate) struct Texts {
    schema: SchemaName,
    pooled: bool,
    /// Whether each table has a column for the tenant, which every key begins with.
    tenant_column: bool,
    composed: RwLock<HashMap<Key, SqlStr>>,
    /// Found by the addresses of the texts that are one here.
    combined: RwLock<HashMap<Box<[usize]>, SqlStr>>,
}

impl Texts {
    /// The texts for `schema`.
    #[must_use]
    pub(crate) fn new(schema: SchemaName) -> Self {
        Self { schema, pooled: false, tenant_column: false, composed: RwLock::default(), combined: RwLock::default() }
    }

    /// The texts for a store whose sessions change between two trips: each statement is prepared and run in a transaction,
    /// under no name.
    #[must_use]
    pub(crate) fn pooled(self, pooled: bool) -> Self {
        Self { pooled, ..self }
    }

    /// Whether each is sent in a transaction.
    pub(crate) fn is_pooled(&self) -> bool {
        self.pooled
    }

    /// The same for another schema.
    #[must_use]
    pub(crate) fn elsewhere(&self, schema: SchemaName) -> Self {
        Self { tenant_column: self.tenant_column, pooled: self.pooled, ..Self::new(schema) }
    }

    fn text(&self, sql: SqlStr) -> Text {
        Text { sql, in_transaction: self.pooled }
    }

    /// A text that was put together out of ours.
    pub(crate) fn made(&self, text: String) -> Text {
        // audited: by those who call it
        self.text(AssertSqlSafe(text).into_sql_str())
    }

    /// The texts for `schema`, in which each table has a column for the tenant.
    #[must_use]
    pub(crate) fn with_tenant_column(schema: SchemaName) -> Self {
        Self { tenant_column: true, ..Self::new(schema) }
    }

    /// Whether each table has a column for the tenant.
    #[must_use]
    pub(crate) fn has_tenant_column(&self) -> bool {
        self.tenant_column
    }

    /// The schema they are for.
    #[must_use]
    pub(crate) fn schema(&self) -> &SchemaName {
        &self.schema
    }

    fn is_default(&self) -> bool {
        self.schema.as_str() == WRITTEN_FOR && !self.tenant_column
    }

    /// One of our own statements.
    pub(crate) fn statement(&self, text: &'static str) -> Text {
        if self.is_default() {
            return self.text(SqlStr::from_static(text));
        }
        self.composed((text.as_ptr() as usize, 0), || self.qualify(text))
    }

    /// One of our own statements with something put into it; `number` tells what, from 1.
    pub(super) fn variant(&self, text: &'static str, number: usize, put: impl FnOnce() -> String) -> Text {
        self.composed((text.as_ptr() as usize, number), || self.qualify(&put()))
    }

    /// A document statement, for one collection.
    pub(crate) fn of(&self, text: &'static str, collection: &'static Collection) -> Text {
        self.composed((text.as_ptr() as usize, std::ptr::from_ref(collection) as usize), || {
            self.written_for(text, collection)
        })
    }

    /// The statement that patches a document of a collection.
    pub(crate) fn patch(&self, collection: &'static Collection, in_steps: bool) -> Text {
        if !in_steps {
            return self.of(PATCH_DOCUMENT, collection);
        }
        self.composed((PATCHED_IN_STEPS.as_ptr() as usize, std::ptr::from_ref(collection) as usize), || {
            self.written_for(&PATCH_DOCUMENT.replace(&patched(2, false), &patched(2, true)), collection)
        })
    }

    fn written_for(&self, text: &str, collection: &Collection) -> String {
        let id_type = format!("::{}", collection.id_type.name());
        let text = with_metadata(text, collection.metadata);
        self.qualify(&text.replace(WRITTEN_COLLECTION, collection.table).replace(WRITTEN_ID, &id_type))
    }

    /// A document statement, for a collection that was found in the catalog. Its name needs no trust.
    #[cfg(feature = "cli")]
    pub(crate) fn named(&self, text: &'static str, table: &str, id_type: &str) -> Text {
        let table = format!("{}.\"{}\"", self.schema.quoted(), table.replace('"', "\"\""));
        let text = text.replace(WRITTEN_COLLECTION, &table).replace(WRITTEN_ID, &format!("::{id_type}"));
        self.made(text)
    }

    /// A typed query. Its text holds the application's own literals, which stay as they are.
    pub(crate) fn query(&self, text: &'static str) -> Text {
        if self.is_default() {
            return self.text(SqlStr::from_static(text));
        }
        self.composed((text.as_ptr() as usize, 1), || self.qualify_outside_literals(text))
    }

    /// A write to every document that a typed query finds. `metadata`: the number of its first parameter.
    pub(crate) fn filtered(&self, select: &'static str, write: FilteredWrite, metadata: Option<usize>) -> Result<Text> {
        let text = write.of(select, metadata)?;
        Ok(self.composed((select.as_ptr() as usize, write.key()), || self.qualify_outside_literals(&text)))
    }

    /// Several typed queries, each with the number of its parameters, as one statement.
    pub(crate) fn combined(&self, queries: &[(&'static str, usize)]) -> Text {
        let key: Box<[usize]> = queries.iter().map(|(text, _)| text.as_ptr() as usize).collect();
        if let Some(text) = self.combined.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return self.text(text.clone());
        }
        // audited: texts made by rustc, put together with our own words and a validated schema name
        let text = AssertSqlSafe(Arc::<str>::from(self.qualify_outside_literals(&combine(queries)))).into_sql_str();
        self.combined.write().unwrap_or_else(PoisonError::into_inner).insert(key, text.clone());
        self.text(text)
    }

    /// A whole migration, or another text that runs once.
    pub(crate) fn once(&self, text: &str) -> Text {
        self.made(self.qualify(text))
    }

    /// Our own text, which may name the schema inside literals too (`'public.events'::regclass`).
    ///
    /// In the default schema it stays as it is, whoever runs it: a channel that is named in a literal has one name.
    pub(crate) fn qualify(&self, text: &str) -> String {
        let text = match self.tenant_column {
            true => Cow::Owned(text.replace(WRITTEN_CONFLICT, CONFLICT_OF_TENANT)),
            false => Cow::Borrowed(text),
        };
        match self.schema.as_str() {
            WRITTEN_FOR => text.into_owned(),
            _ => text.replace("public.", &format!("{}.", self.schema.quoted())),
        }
    }

    fn qualify_outside_literals(&self, text: &str) -> String {
        // a doubled quote inside a literal ends it and begins another: the count stays right
        let parts = text.split('\'').enumerate();
        let parts: Vec<_> =
            parts.map(|(i, part)| if i % 2 == 0 { self.qualify(part) } else { part.to_owned() }).collect();
        parts.join("'")
    }

    fn composed(&self, key: Key, compose: impl FnOnce() -> String) -> Text {
        if let Some(text) = self.composed.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return self.text(text.clone());
        }
        // audited: schema names are letters, digits and underscores, the rest is text of this program
        let text = AssertSqlSafe(Arc::<str>::from(compose())).into_sql_str();
        self.composed.write().unwrap_or_else(PoisonError::into_inner).insert(key, text.clone());
        self.text(text)
    }
}
