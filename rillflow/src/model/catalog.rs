//! What a schema holds, as values to compare.

use std::collections::{BTreeMap, BTreeSet};

/// Everything of ours in one schema. In definitions the schema's own name is a placeholder, so that two schemas compare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Catalog {
    pub(crate) tables: BTreeMap<String, Table>,
    /// Definition by name.
    pub(crate) sequences: BTreeMap<String, String>,
    /// `CREATE OR REPLACE FUNCTION ..` by name and argument types.
    pub(crate) functions: BTreeMap<String, String>,
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// Storage parameters, such as `fillfactor=80`.
    pub(crate) options: BTreeSet<String>,
    /// `ENABLE` and `FORCE`, as far as row level security is.
    pub(crate) row_security: BTreeSet<String>,
    /// In their order.
    pub(crate) columns: Vec<Column>,
    pub(crate) constraints: BTreeMap<String, Constraint>,
    /// Those that no constraint brings with it.
    pub(crate) indexes: BTreeMap<String, IndexState>,
    pub(crate) triggers: BTreeMap<String, Trigger>,
    /// `CREATE POLICY ..` by name.
    pub(crate) policies: BTreeMap<String, String>,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) data_type: String,
    pub(crate) not_null: bool,
    /// `DEFAULT ..` or `GENERATED ..`.
    pub(crate) clause: Option<String>,
}

/// One constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Constraint {
    pub(crate) definition: String,
    pub(crate) foreign_key: bool,
    /// Whether it can be added first and checked later: foreign keys and checks.
    pub(crate) checked_later: bool,
}

/// One index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexState {
    /// `CREATE INDEX ..`
    pub(crate) definition: String,
    /// False when a build broke off.
    pub(crate) valid: bool,
}

/// One trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trigger {
    /// `CREATE TRIGGER ..`
    pub(crate) definition: String,
    pub(crate) enabled: bool,
}

impl Catalog {
    /// The names of its tables and sequences.
    pub(crate) fn relations(&self) -> Vec<String> {
        self.tables.keys().chain(self.sequences.keys()).cloned().collect()
    }

    /// What `other` has beside this: whole tables, sequences and functions that are not here, as they are there.
    pub(crate) fn extend_with_new(&mut self, other: Self, known: &Self) {
        let Self { tables, sequences, functions } = other;
        self.tables.extend(tables.into_iter().filter(|(name, _)| !known.tables.contains_key(name)));
        self.sequences.extend(sequences.into_iter().filter(|(name, _)| !known.sequences.contains_key(name)));
        self.functions.extend(functions.into_iter().filter(|(name, _)| !known.functions.contains_key(name)));
    }
}

impl Table {
    /// A column by its name.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Column {
    pub(crate) fn is_generated(&self) -> bool {
        self.clause.as_deref().is_some_and(|clause| clause.starts_with("GENERATED ALWAYS AS ("))
    }
}
