//! Tables and indexes of collections.

use super::writer::Writer;
use crate::model::SqlType;
use crate::model::query::tree::{IndexDefinition, IndexMethod, SortKey};

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

    const fn text_key(&mut self, before: &str, keys: &[SortKey], after: &str) {
        self.put(before);
        self.scalar(keys[0].path);
        self.put(after);
    }

    pub(super) const fn index(&mut self, table: &str, index: &IndexDefinition) {
        self.put(if index.unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " });
        self.put(index.name);
        self.put(" ON ");
        self.put(table);
        match index.method {
            IndexMethod::Gin => self.put(" USING gin (doc jsonb_path_ops)"),
            IndexMethod::TextPattern => self.text_key(" (", index.keys, " text_pattern_ops)"),
            // the schema of the extension is known when the index is built
            IndexMethod::Trigram => self.text_key(" USING gin (", index.keys, " gin_trgm_ops)"),
            IndexMethod::BTree => {
                self.put(" (");
                self.sort_keys(index.keys);
                self.put(")");
            }
        }
    }
}
