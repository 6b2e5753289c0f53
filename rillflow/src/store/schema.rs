//! The tables, functions and indexes that a store needs.

use super::Store;
use crate::Result;
use crate::model::SchemaConfig;
use crate::runtime::sync::{SchemaChanges, sync};
use crate::sql::{SchemaName, Texts};

/// The schema of a store.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'s> {
    store: &'s Store,
}

impl<'s> Schema<'s> {
    pub(super) fn new(store: &'s Store) -> Self {
        Self { store }
    }

    /// Makes what is missing: the tables of this version, and every registered collection with its indexes.
    ///
    /// Safe to call at every start, from any number of processes at once. Removes nothing but indexes that a broken off
    /// build left invalid. Indexes on collections that are there are built beside their traffic.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when a table of the same name is somebody else's, or when the sequence of
    /// positions could lose events.
    pub async fn sync(&self, config: &SchemaConfig) -> Result<SchemaChanges> {
        let core = &self.store.core;
        match config.other_schema() {
            None => sync(core, &core.texts, &self.store.collections).await,
            Some(other) => sync(core, &Texts::new(SchemaName::new(other)?), &self.store.collections).await,
        }
    }
}
