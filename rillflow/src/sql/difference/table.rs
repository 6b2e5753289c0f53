//! Tables: columns, constraints, triggers, settings.

use std::collections::BTreeSet;

use super::{Target, changed, is_ours, quoted};
use crate::model::catalog::{Column, Constraint, Table, Trigger};
use crate::model::{SchemaStep, TableLock};

impl Target<'_> {
    /// Everything about a table but its keys to other tables, in one transaction.
    pub(super) fn create_table(&self, name: &str, table: &Table) -> SchemaStep {
        let columns = table.columns.iter().map(|column| self.column(column));
        let constraints = table.constraints.iter().filter(|(_, it)| !it.foreign_key);
        let constraints =
            constraints.map(|(name, it)| format!("CONSTRAINT {} {}", quoted(name), self.sql(&it.definition)));
        let parts: Vec<_> = columns.chain(constraints).collect();
        let mut create = vec![format!("CREATE TABLE {} (\n    {}\n)", self.name(name), parts.join(",\n    "))];
        if !table.options.is_empty() {
            create[0].push_str(&format!(" WITH ({})", list(&table.options)));
        }
        create.extend(table.row_security.iter().map(|it| self.row_security(name, it)));
        create.extend(table.indexes.values().map(|it| self.sql(&it.definition)));
        create.extend(table.triggers.values().map(|it| self.sql(&it.definition)));
        create.extend(table.policies.values().map(|it| self.sql(it)));
        SchemaStep::new(format!("table {name}: create"), vec![create.join(";\n")])
    }

    /// What makes of a table what is wanted.
    pub(super) fn alter_table(&self, name: &str, live: &Table, wanted: &Table) -> Vec<SchemaStep> {
        let mut steps = Vec::new();
        steps.extend(self.columns(name, live, wanted));
        steps.extend(self.settings(name, live, wanted));
        steps.extend(self.constraints(name, live, wanted, false));
        steps.extend(self.indexes(name, live, wanted));
        steps.extend(self.triggers(name, live, wanted));
        steps.extend(self.policies(name, live, wanted));
        steps
    }

    /// A table's keys to other tables.
    pub(super) fn foreign_keys(&self, name: &str, live: &Table, wanted: &Table) -> Vec<SchemaStep> {
        self.constraints(name, live, wanted, true)
    }

    fn alter(&self, table: &str, change: &str) -> String {
        format!("ALTER TABLE {} {change}", self.name(table))
    }

    fn row_security(&self, table: &str, state: &str) -> String {
        self.alter(table, &format!("{state} ROW LEVEL SECURITY"))
    }

    fn column(&self, column: &Column) -> String {
        let clause = column.clause.as_deref().map_or(String::new(), |clause| format!(" {}", self.sql(clause)));
        let not_null = if column.not_null { " NOT NULL" } else { "" };
        format!("{} {}{clause}{not_null}", quoted(&column.name), self.sql(&column.data_type))
    }

    fn columns(&self, table: &str, live: &Table, wanted: &Table) -> Vec<SchemaStep> {
        let mut steps = Vec::new();
        for column in &wanted.columns {
            match live.column(&column.name) {
                None => steps.push(self.add_column(table, column)),
                Some(found) if found == column => {}
                Some(found) => steps.extend(self.alter_column(table, found, column)),
            }
        }
        let gone = live.columns.iter().filter(|column| wanted.column(&column.name).is_none());
        steps.extend(gone.map(|column| {
            let drop = self.alter(table, &format!("DROP COLUMN {}", quoted(&column.name)));
            SchemaStep::new(format!("column {table}.{}: drop, with its data", column.name), vec![drop])
                .locking(TableLock::AccessExclusive, table)
                .destructive()
        }));
        steps
    }

    fn add_column(&self, table: &str, column: &Column) -> SchemaStep {
        let add = self.alter(table, &format!("ADD COLUMN {}", self.column(column)));
        let rewrites = if column.is_generated() { ", which rewrites the table" } else { "" };
        SchemaStep::new(format!("column {table}.{}: add{rewrites}", column.name), vec![add])
            .locking(TableLock::AccessExclusive, table)
    }

    fn alter_column(&self, table: &str, live: &Column, wanted: &Column) -> Vec<SchemaStep> {
        let column = quoted(&wanted.name);
        let alter = |what: &str, change: String| {
            SchemaStep::new(format!("column {table}.{}: {what}", wanted.name), vec![self.alter(table, &change)])
                .locking(TableLock::AccessExclusive, table)
        };
        if wanted.is_generated() {
            let (what, add) = ("compute it anew, which rewrites the table", self.column(wanted));
            let step = alter(what, format!("DROP COLUMN {column}, ADD COLUMN {add}"));
            return vec![if live.is_generated() { step } else { step.destructive() }];
        }
        let mut steps = Vec::new();
        if live.is_generated() {
            steps.push(alter("keep its values as plain data", format!("ALTER COLUMN {column} DROP EXPRESSION")));
        }
        if live.data_type != wanted.data_type {
            let to = self.sql(&wanted.data_type);
            let what = format!("change its type from {} to {to}, which rewrites the table", self.sql(&live.data_type));
            let bare = to.split(" COLLATE ").next().unwrap_or(&to);
            let change = format!("ALTER COLUMN {column} TYPE {to} USING {column}::{bare}");
            steps.push(alter(&what, change).destructive());
        }
        if live.clause != wanted.clause && (!live.is_generated() || wanted.clause.is_some()) {
            let change = match &wanted.clause {
                Some(clause) => format!("ALTER COLUMN {column} SET {}", self.sql(clause)),
                None => format!("ALTER COLUMN {column} DROP DEFAULT"),
            };
            steps.push(alter("restore its default", change));
        }
        if live.not_null != wanted.not_null {
            let verb = if wanted.not_null { "SET" } else { "DROP" };
            steps.push(alter(
                &format!("{} NOT NULL", verb.to_lowercase()),
                format!("ALTER COLUMN {column} {verb} NOT NULL"),
            ));
        }
        steps
    }

    /// Settings that an administrator added beside ours stay.
    fn settings(&self, table: &str, live: &Table, wanted: &Table) -> Vec<SchemaStep> {
        let missing: BTreeSet<_> = wanted.options.difference(&live.options).cloned().collect();
        let mut changes = Vec::new();
        if !missing.is_empty() {
            changes.push(self.alter(table, &format!("SET ({})", list(&missing))));
        }
        changes.extend(wanted.row_security.difference(&live.row_security).map(|it| self.row_security(table, it)));
        if changes.is_empty() {
            return Vec::new();
        }
        let step = SchemaStep::new(format!("table {table}: restore its settings"), vec![changes.join(";\n")]);
        let lock =
            if missing.len() < changes.len() { TableLock::AccessExclusive } else { TableLock::ShareUpdateExclusive };
        vec![step.locking(lock, table)]
    }

    fn constraints(&self, table: &str, live: &Table, wanted: &Table, foreign_keys: bool) -> Vec<SchemaStep> {
        let mut steps = Vec::new();
        for (name, constraint, found) in changed(&live.constraints, &wanted.constraints) {
            if constraint.foreign_key == foreign_keys {
                steps.push(self.constraint(table, name, constraint, found));
            }
        }
        let gone = live.constraints.iter().filter(|(name, it)| {
            it.foreign_key == foreign_keys && is_ours(name, table) && !wanted.constraints.contains_key(*name)
        });
        steps.extend(gone.map(|(name, _)| {
            let drop = self.alter(table, &format!("DROP CONSTRAINT {}", quoted(name)));
            SchemaStep::new(format!("constraint {name}: drop, nothing declares it any more"), vec![drop])
                .locking(TableLock::AccessExclusive, table)
                .destructive()
        }));
        steps
    }

    /// Where it can be, a constraint is added without a look at what is there, and checked beside the traffic.
    fn constraint(&self, table: &str, name: &str, wanted: &Constraint, live: Option<&Constraint>) -> SchemaStep {
        let quoted_name = quoted(name);
        let validate = self.alter(table, &format!("VALIDATE CONSTRAINT {quoted_name}"));
        if live.is_some_and(|live| live.definition == format!("{} NOT VALID", wanted.definition)) {
            return SchemaStep::new(format!("constraint {name}: check what is there"), vec![validate])
                .locking(TableLock::ShareUpdateExclusive, table);
        }
        let drop = live.map_or(String::new(), |_| format!("DROP CONSTRAINT {quoted_name}, "));
        let definition = self.sql(&wanted.definition);
        let add = self.alter(table, &format!("{drop}ADD CONSTRAINT {quoted_name} {definition}"));
        let statements = match wanted.checked_later {
            true => vec![format!("{add} NOT VALID"), validate],
            false => vec![add],
        };
        let lock = match wanted.foreign_key && live.is_none() {
            true => TableLock::ShareRowExclusive,
            false => TableLock::AccessExclusive,
        };
        let what = if live.is_some() { "change" } else { "add" };
        SchemaStep::new(format!("constraint {name}: {what}"), statements).locking(lock, table)
    }

    /// Those that others added stay: ours are restrictive.
    fn policies(&self, table: &str, live: &Table, wanted: &Table) -> Vec<SchemaStep> {
        let changed = changed(&live.policies, &wanted.policies).map(|(name, definition, found)| {
            let drop = format!("DROP POLICY {} ON {};\n", quoted(name), self.name(table));
            let what = if found.is_some() { "restore its definition" } else { "create" };
            let statement = format!("{}{}", found.map_or("", |_| &drop), self.sql(definition));
            SchemaStep::new(format!("policy {name} of {table}: {what}"), vec![statement])
                .locking(TableLock::AccessExclusive, table)
        });
        changed.collect()
    }

    fn triggers(&self, table: &str, live: &Table, wanted: &Table) -> Vec<SchemaStep> {
        let mut steps = Vec::new();
        for (name, trigger, found) in changed(&live.triggers, &wanted.triggers) {
            steps.push(self.trigger(table, name, trigger, found));
        }
        let gone = live.triggers.keys().filter(|name| is_ours(name, table) && !wanted.triggers.contains_key(*name));
        steps.extend(gone.map(|name| {
            let drop = format!("DROP TRIGGER {} ON {}", quoted(name), self.name(table));
            SchemaStep::new(format!("trigger {name}: drop, nothing needs it any more"), vec![drop])
                .locking(TableLock::AccessExclusive, table)
                .destructive()
        }));
        steps
    }

    fn trigger(&self, table: &str, name: &str, wanted: &Trigger, live: Option<&Trigger>) -> SchemaStep {
        let (what, statement) = match live {
            Some(live) if live.definition == wanted.definition => {
                ("enable", self.alter(table, &format!("ENABLE TRIGGER {}", quoted(name))))
            }
            Some(_) => {
                let drop = format!("DROP TRIGGER {} ON {}", quoted(name), self.name(table));
                ("restore its definition", format!("{drop};\n{}", self.sql(&wanted.definition)))
            }
            None => ("create", self.sql(&wanted.definition)),
        };
        let lock =
            if what == "restore its definition" { TableLock::AccessExclusive } else { TableLock::ShareRowExclusive };
        SchemaStep::new(format!("trigger {name}: {what}"), vec![statement]).locking(lock, table)
    }
}

fn list(options: &BTreeSet<String>) -> String {
    options.iter().cloned().collect::<Vec<_>>().join(", ")
}
