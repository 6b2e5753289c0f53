//! From what a schema holds to what is wanted: the steps, each with its statements. Pure.

mod index;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::SchemaName;
use super::fold::unfold;
use crate::model::catalog::{Catalog, Table};
use crate::model::{SchemaStep, TableLock};

/// The steps that lead from `live` to `wanted`, in the order in which they can be taken; what is destructive comes last.
pub(crate) fn difference(live: &Catalog, wanted: &Catalog, schema: &SchemaName) -> Vec<SchemaStep> {
    let to = Target { schema };
    let mut steps = Vec::new();
    steps.extend(changed(&live.functions, &wanted.functions).map(|(name, definition, found)| {
        let what = if found.is_some() { "restore its definition" } else { "create" };
        SchemaStep::new(format!("function {name}: {what}"), vec![to.sql(definition)])
    }));
    steps.extend(
        changed(&live.sequences, &wanted.sequences)
            .map(|(name, definition, found)| to.sequence(name, definition, found)),
    );
    for (name, table) in &wanted.tables {
        match live.tables.get(name) {
            None => steps.push(to.create_table(name, table)),
            Some(found) => steps.extend(to.alter_table(name, found, table)),
        }
    }
    let absent = Table::default();
    for (name, table) in &wanted.tables {
        // keys to other tables come last, when those are there
        steps.extend(to.foreign_keys(name, live.tables.get(name).unwrap_or(&absent), table));
    }
    let gone = live.functions.keys().filter(|name| !wanted.functions.contains_key(*name));
    steps.extend(gone.map(|name| {
        let drop = format!("DROP FUNCTION {}.{name}", schema.quoted());
        SchemaStep::new(format!("function {name}: drop, nothing needs it any more"), vec![drop]).destructive()
    }));
    steps.sort_by_key(|step| step.destructive);
    steps
}

/// What is wanted and is not there, or is there otherwise: name, wanted, found.
fn changed<'c, T: PartialEq>(
    live: &'c BTreeMap<String, T>,
    wanted: &'c BTreeMap<String, T>,
) -> impl Iterator<Item = (&'c String, &'c T, Option<&'c T>)> {
    wanted.iter().map(|(name, it)| (name, it, live.get(name))).filter(|(_, it, found)| *found != Some(*it))
}

/// An identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether something on a table is ours by its name. What others add under names of their own is left alone.
fn is_ours(name: &str, table: &str) -> bool {
    name.strip_prefix(table).is_some_and(|rest| rest.starts_with('_'))
}

/// The schema that the steps are for.
struct Target<'s> {
    schema: &'s SchemaName,
}

impl Target<'_> {
    /// A definition, for this schema.
    fn sql(&self, definition: &str) -> String {
        unfold(definition, self.schema)
    }

    /// A table's or an index's name.
    fn name(&self, relation: &str) -> String {
        format!("{}.{}", self.schema.quoted(), quoted(relation))
    }

    fn sequence(&self, name: &str, definition: &str, found: Option<&String>) -> SchemaStep {
        let verb = if found.is_some() { "ALTER" } else { "CREATE" };
        let what = if found.is_some() { "restore its settings" } else { "create" };
        let alter = format!("{verb} SEQUENCE {} {}", self.name(name), self.sql(definition));
        let step = SchemaStep::new(format!("sequence {name}: {what}"), vec![alter]);
        if found.is_some() { step.locking(TableLock::ShareRowExclusive, name) } else { step }
    }
}
