//! Everything that a program wants of a schema, as text: the migrations, and the collections that its derives declare.

use std::collections::HashMap;

use super::{MIGRATIONS, Migration, TENANT_COLUMN, TENANT_COLUMN_OFF, Texts};
use crate::model::{Collection, ForeignKey, Index, SchemaStep, TableLock, fingerprint};

/// The schema of each extension that is there, as an identifier.
pub(crate) type Extensions = HashMap<String, String>;

/// The tables that hold nothing of any tenant: what is known of the schema, and of the one global order.
pub(crate) const OF_NO_TENANT: &[&str] = &["rillflow_migrations", "rillflow_syncs", "event_marks", "event_epochs"];

/// The table of those who share a schema.
pub(crate) const TENANTS: &str = "rillflow_tenants";

/// What one program wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'c> {
    pub(crate) collections: &'c [&'static Collection],
    /// Whether each table has a column for the tenant.
    pub(crate) tenant_column: bool,
}

impl<'c> Wanted<'c> {
    /// Tells what this program wants from what another one does, and from what it will want after a change.
    pub(crate) fn fingerprint(self) -> String {
        let texts = MIGRATIONS.iter().map(|(.., text)| *text);
        let collections = self
            .collections
            .iter()
            .flat_map(|it| std::iter::once(it.create_table).chain(it.indexes.iter().map(|index| index.create)))
            .chain(self.collections.iter().flat_map(|it| it.foreign_keys).map(|key| key.add));
        let all: Vec<_> = texts.chain(collections).chain(self.tenant_column.then_some(TENANT_COLUMN)).collect();
        format!("{:016x}", fingerprint(&all.join("\n"), 1))
    }

    /// The tables and sequences that a schema made by these texts holds.
    pub(crate) fn relations(self) -> Vec<String> {
        let migrated = MIGRATIONS.iter().flat_map(|(.., text)| tables_of(text).chain(sequences_of(text)));
        let shared = self.tenant_column.then_some(TENANTS);
        migrated.chain(self.collections.iter().map(|it| table_of(it))).chain(shared).map(str::to_owned).collect()
    }

    /// The tables whose rows are each a tenant's.
    pub(crate) fn tables_of_tenants(self) -> impl Iterator<Item = &'static str> + use<'c> {
        let migrated = MIGRATIONS.iter().flat_map(|(.., text)| tables_of(text));
        let migrated = migrated.filter(|table| !OF_NO_TENANT.contains(table));
        migrated.chain(self.collections.iter().map(|it| table_of(it)))
    }

    /// What gives the tables that are there a column for the tenant, when they have to have one.
    pub(crate) fn tenancy(self, texts: &Texts) -> Option<String> {
        let tables: Vec<_> = self.tables_of_tenants().map(|table| format!("'{table}'")).collect();
        self.tenant_column.then(|| texts.qualify(TENANT_COLUMN).replace("/* tables */", &tables.join(", ")))
    }

    /// The references between its collections, to be made when all of them are there.
    pub(crate) fn foreign_keys(self) -> impl Iterator<Item = &'static ForeignKey> + use<'c> {
        self.collections.iter().flat_map(|it| it.foreign_keys)
    }

    /// The extensions that its indexes are built with.
    pub(crate) fn extensions(self) -> Vec<&'static str> {
        let indexes = self.collections.iter().flat_map(|it| it.indexes);
        let mut extensions: Vec<_> = indexes.filter_map(|index| index.requires).collect();
        extensions.sort_unstable();
        extensions.dedup();
        extensions
    }

    /// The steps that make the extensions that are not there.
    pub(crate) fn missing_extensions(self, there: &Extensions) -> Vec<SchemaStep> {
        let missing = self.extensions().into_iter().filter(|name| !there.contains_key(*name));
        missing.map(|name| SchemaStep::new(format!("extension {name}"), vec![create_extension(name)])).collect()
    }

    /// The steps that make everything in a schema that holds nothing of it.
    pub(crate) fn all_steps(self, texts: &Texts, there: &Extensions) -> Vec<SchemaStep> {
        let schema = format!("CREATE SCHEMA IF NOT EXISTS {}", texts.schema().quoted());
        let mut steps = vec![SchemaStep::new(format!("schema {}", texts.schema()), vec![schema])];
        steps.extend(MIGRATIONS.iter().map(|migration| migration_step(texts, migration)));
        steps.extend(self.missing_extensions(there));
        steps.extend(self.collections.iter().map(|collection| {
            let description = format!("collection {} ({} indexes)", collection.name, collection.indexes.len());
            SchemaStep::new(description, vec![collection_statements(texts, collection, there).join(";\n")])
        }));
        let keys = self.foreign_keys();
        steps.extend(keys.map(|key| {
            SchemaStep::new(format!("constraint {}", key.name), vec![texts.query(key.add).as_str().to_owned()])
        }));
        steps.extend(self.tenancy(texts).map(|all| SchemaStep::new("a column for the tenant".to_owned(), vec![all])));
        steps
    }

    /// The steps that apply migrations to a schema that is there.
    pub(crate) fn migration_steps(self, texts: &Texts, pending: &[&Migration]) -> Vec<SchemaStep> {
        let steps = pending.iter().map(|migration| {
            let mut step = migration_step(texts, migration);
            // in the same transaction: no table is ever there that shows the rows of all
            if let (Some(tenancy), Some(last)) = (self.tenancy(texts), step.statements.last_mut()) {
                *last = format!("{};\n{last};\n{tenancy}", texts.qualify(TENANT_COLUMN_OFF));
                step = step.locking(TableLock::AccessExclusive, "every table of tenants");
            }
            step
        });
        steps.collect()
    }

    /// The collections alone, as a migration that may run more than once, to be kept beside the application's own.
    pub(crate) fn patch(self, texts: &Texts) -> String {
        let there = Extensions::new();
        let extensions = self.extensions().into_iter().map(|name| format!("{};\n\n", create_extension(name)));
        let mut patch: String = extensions.collect();
        for collection in self.collections {
            patch.push_str(&format!("-- {}, for `{}`\n", collection.name, collection.type_name));
            for statement in collection_statements(texts, collection, &there) {
                patch.push_str(&statement.replacen("INDEX ", "INDEX IF NOT EXISTS ", 1));
                patch.push_str(";\n");
            }
            patch.push('\n');
        }
        for key in self.foreign_keys() {
            let add = texts.query(key.add);
            let anew = format!("DROP CONSTRAINT IF EXISTS {}, ADD CONSTRAINT", key.name);
            patch.push_str(&format!("{};\n", add.as_str().replacen("ADD CONSTRAINT", &anew, 1)));
        }
        patch
    }
}

/// The table a collection is in, without its schema.
pub(crate) fn table_of(collection: &Collection) -> &'static str {
    collection.table.strip_prefix("public.").unwrap_or(collection.table)
}

/// The tables that a migration makes.
pub(crate) fn tables_of(migration: &'static str) -> impl Iterator<Item = &'static str> {
    names_after(migration, "\nCREATE TABLE public.")
}

fn sequences_of(migration: &'static str) -> impl Iterator<Item = &'static str> {
    names_after(migration, "\nCREATE SEQUENCE public.")
}

fn names_after(text: &'static str, beginning: &'static str) -> impl Iterator<Item = &'static str> {
    let ends = |c: char| !c.is_alphanumeric() && c != '_';
    text.split(beginning).skip(1).filter_map(move |rest| rest.split(ends).next())
}

/// The step that applies a migration, which records itself.
pub(crate) fn migration_step(texts: &Texts, (version, name, text): &Migration) -> SchemaStep {
    let step = SchemaStep::new(format!("migration {version:04}_{name}"), vec![texts.qualify(text)]);
    match text.split("\nALTER TABLE public.").nth(1).and_then(|rest| rest.split_whitespace().next()) {
        Some(table) if !tables_of_text(text, table) => step.locking(TableLock::AccessExclusive, table),
        _ => step,
    }
}

/// Whether a migration makes this table itself.
fn tables_of_text(migration: &str, table: &str) -> bool {
    migration.contains(&format!("\nCREATE TABLE public.{table} "))
}

/// The statements that make a collection, in their order.
pub(crate) fn collection_statements(texts: &Texts, collection: &'static Collection, there: &Extensions) -> Vec<String> {
    let table = texts.query(collection.create_table).as_str().to_owned();
    let indexes = collection.indexes.iter().map(|index| index_statement(texts, index, there));
    std::iter::once(table).chain(indexes).collect()
}

/// The statement that makes an index. Its operator class is named with the schema of the extension it comes from.
pub(crate) fn index_statement(texts: &Texts, index: &'static Index, there: &Extensions) -> String {
    let text = texts.query(index.create).as_str().to_owned();
    let Some(extension) = index.requires else { return text };
    let schema = there.get(extension).map_or("public", String::as_str);
    // what may follow the operator class is the condition of a partial index
    text.replacen(" gin_trgm_ops)", &format!(" {schema}.gin_trgm_ops)"), 1)
}

/// Two schemas may want the same extension at the same moment, and `IF NOT EXISTS` alone does not wait.
fn create_extension(name: &str) -> String {
    format!(
        "SELECT pg_advisory_xact_lock(hashtext('rillflow extension'), 0);\n\
         CREATE EXTENSION IF NOT EXISTS {name} WITH SCHEMA public"
    )
}
