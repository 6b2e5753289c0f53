//! Writes to every document that a typed query finds: the query's const text with another beginning.

use crate::{Error, Result};

/// What to do with the documents found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FilteredWrite {
    Delete,
    SoftDelete,
    /// The changes are the parameter of this number.
    Patch {
        changes: usize,
        in_steps: bool,
    },
}

impl FilteredWrite {
    /// Tells the composed texts of one query apart.
    pub(super) fn key(self) -> usize {
        match self {
            Self::Delete => 2,
            Self::SoftDelete => 3,
            Self::Patch { in_steps: false, .. } => 4,
            Self::Patch { in_steps: true, .. } => 5,
        }
    }

    /// The statement with the condition of `SELECT doc FROM <table> WHERE <condition>`.
    pub(crate) fn of(self, select: &str, metadata: Option<usize>) -> Result<String> {
        let parts = select.split_once(" FROM ").and_then(|(_, rest)| rest.split_once(" WHERE "));
        let Some((table, condition)) = parts else {
            return Err(Error::Encode { what: "a condition".to_owned(), reason: format!("`{select}` has none") });
        };
        let metadata = metadata.map_or_else(String::new, |first| {
            format!(
                ", correlation_id = ${first}::uuid, causation_id = ${}::uuid, headers = ${}::text::jsonb, \
                 last_modified_by = ${}::text",
                first + 1,
                first + 2,
                first + 3
            )
        });
        Ok(match self {
            Self::Delete => format!("DELETE FROM {table} WHERE {condition}"),
            Self::SoftDelete => format!(
                "UPDATE {table} SET deleted_at = now(), version = version + 1, updated_at = now(){metadata} WHERE {condition}"
            ),
            Self::Patch { changes, in_steps } => format!(
                "UPDATE {table} SET doc = {}, version = version + 1, updated_at = now(){metadata} WHERE {condition}",
                patched(changes, in_steps)
            ),
        })
    }
}

/// A document with changes: the parameter of this number.
pub(super) fn patched(changes: usize, in_steps: bool) -> String {
    if in_steps {
        return super::PATCHED_IN_STEPS.replace("$changes", &format!("${changes}"));
    }
    format!("public.rillflow_patch(doc, ${changes}::text::jsonb)")
}
