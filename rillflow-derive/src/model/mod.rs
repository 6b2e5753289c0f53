//! Step 2: checked input. Every refusal lives here.

pub(crate) mod condition;
pub(crate) mod document;
pub(crate) mod fields;
pub(crate) mod index;
pub(crate) mod literal;
pub(crate) mod mention;
pub(crate) mod query;
pub(crate) mod value;

/// Text as an SQL literal.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
