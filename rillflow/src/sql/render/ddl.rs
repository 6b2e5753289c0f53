//! Tables and indexes of collections.

use super::writer::Writer;
use crate::model::SqlType;
use crate::model::query::tree::{IndexDefinition, IndexMethod};

/// The table of a collection.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name, with the default schema.
    pub name: &'static str,
    /// The type of its id column.
    pub id_type: SqlType,
}

impl<const N: usize> Writer<N> {
    pub(super) const fn table(&mut self, table: &Table) {
        self.put("CREATE TABLE IF NOT EXISTS ");
        self.put(table.name);
        self.put(" (id ");
        self.put(table.id_type.name());
        self.put(
            " PRIMARY KEY, doc jsonb NOT NULL, version bigint NOT NULL DEFAULT 1, \
             created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(), \
             deleted_at timestamptz)",
        );
    }

    pub(super) const fn index(&mut self, table: &str, index: &IndexDefinition) {
        self.put(if index.unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " });
        self.put(index.name);
        self.put(" ON ");
        self.put(table);
        match index.method {
            IndexMethod::Gin => self.put(" USING gin (doc jsonb_path_ops)"),
            IndexMethod::BTree => {
                self.put(" (");
                self.sort_keys(index.keys);
                self.put(")");
            }
        }
    }
}
