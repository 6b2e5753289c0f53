//! Indexes: built beside the traffic on their table.

use super::{Target, changed, is_ours, quoted};
use crate::model::catalog::{IndexState, Table};
use crate::model::{SchemaStep, TableLock, fingerprint};

/// Begins the name of an index that is being built in place of another.
const BUILDING: &str = "rillflow_building_";

impl Target<'_> {
    pub(super) fn indexes(&self, table: &str, live: &Table, wanted: &Table) -> Vec<SchemaStep> {
        let mut steps = Vec::new();
        for (name, index, found) in changed(&live.indexes, &wanted.indexes) {
            let (what, statements) = match found {
                None => ("create", vec![self.build(name, index)]),
                Some(found) if !found.valid => {
                    ("build again, as its build broke off", vec![self.drop_index(name), self.build(name, index)])
                }
                Some(_) => ("replace by its new definition", self.replace(name, index)),
            };
            let step = SchemaStep::new(format!("index {name}: {what}"), statements);
            steps.push(step.locking(TableLock::ShareUpdateExclusive, table));
        }
        let left = live.indexes.keys().filter(|name| name.starts_with(BUILDING));
        steps.extend(left.map(|name| {
            SchemaStep::new(format!("index {name}: drop what a broken off build left"), vec![self.drop_index(name)])
                .locking(TableLock::ShareUpdateExclusive, table)
        }));
        let gone = live.indexes.keys().filter(|name| is_ours(name, table) && !wanted.indexes.contains_key(*name));
        steps.extend(gone.map(|name| {
            SchemaStep::new(format!("index {name}: drop, nothing declares it any more"), vec![self.drop_index(name)])
                .locking(TableLock::ShareUpdateExclusive, table)
                .destructive()
        }));
        steps
    }

    /// Builds an index under a name.
    fn build(&self, name: &str, index: &IndexState) -> String {
        let definition = self.sql(&index.definition);
        let unique = if definition.starts_with("CREATE UNIQUE") { "UNIQUE " } else { "" };
        let on = definition.split_once(" ON ").map_or(definition.as_str(), |(_, on)| on);
        format!("CREATE {unique}INDEX CONCURRENTLY {} ON {on}", quoted(name))
    }

    fn drop_index(&self, name: &str) -> String {
        format!("DROP INDEX CONCURRENTLY IF EXISTS {}", self.name(name))
    }

    /// The old one serves until the new one is built.
    fn replace(&self, name: &str, index: &IndexState) -> Vec<String> {
        let building = format!("{BUILDING}{:016x}", fingerprint(name, 1));
        let (old, new) = (self.name(name), self.name(&building));
        vec![
            self.drop_index(&building),
            self.build(&building, index),
            format!("DROP INDEX {old};\nALTER INDEX {new} RENAME TO {}", quoted(name)),
        ]
    }
}
