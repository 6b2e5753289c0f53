//! Step 2: checked input. Every refusal lives here.

pub(crate) mod aggregate;
pub(crate) mod columns;
pub(crate) mod condition;
pub(crate) mod document;
pub(crate) mod event;
pub(crate) mod fields;
pub(crate) mod functions;
pub(crate) mod handlers;
pub(crate) mod index;
pub(crate) mod literal;
pub(crate) mod lookups;
pub(crate) mod mention;
pub(crate) mod names;
pub(crate) mod partial;
pub(crate) mod places;
pub(crate) mod projection;
pub(crate) mod query;
pub(crate) mod split;
pub(crate) mod sql_projection;
pub(crate) mod steps;
pub(crate) mod stored;
pub(crate) mod tags;
pub(crate) mod value;

/// Text as an SQL literal.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
