//! One tenant: a store of its own.

use std::fmt;
use std::ops::Deref;

use super::Store;
use crate::model::TenantName;

/// One tenant of a [`TenantedStore`](super::TenantedStore): documents, events, sessions, projections, subscriptions of
/// this tenant and of no other.
///
/// It is a [`Store`] whose every statement names this tenant's tables, whatever connection it is sent on; so all that a
/// store can do, a tenant can, and there is no call by which it could reach another one. A function that takes a
/// `&Tenant` cannot be called without one. Only [`pool`](Store::pool), for the application's own SQL, is shared by the
/// tenants of a database: name the [`schema_name`](Self::schema_name) in such SQL.
///
/// With [`TenancyMode::TenantColumn`](crate::TenancyMode::TenantColumn) the tables are everybody's, and every connection
/// that a statement is sent on is set to this tenant, those of [`pool`](Store::pool) too, which then is this tenant's
/// own. A transaction that is handed in must not be another tenant's, which is
/// [`Error::NotOfTenant`](crate::Error::NotOfTenant).
#[derive(Clone)]
pub struct Tenant {
    name: TenantName,
    store: Store,
}

impl Tenant {
    pub(super) fn new(name: TenantName, store: Store) -> Self {
        Self { name, store }
    }

    /// The tenant's name, as the application has it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The schema that holds everything of this tenant; and of the others, when they share tables.
    #[must_use]
    pub fn schema_name(&self) -> &str {
        self.store.core.texts.schema().as_str()
    }

    /// This tenant's store, for code that does not know of tenants.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }
}

impl Deref for Tenant {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant").field("name", &self.name()).field("schema", &self.schema_name()).finish()
    }
}
