//! Making a store for many tenants.

use std::sync::{Arc, Mutex};

use super::{Inner, TenantedStore};
use crate::model::TenancyMode;
use crate::store::StoreBuilder;
use crate::store::tenant_column::SharedTables;
use crate::{Error, Result};

/// The settings of a store for many tenants.
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `build().await`"]
pub struct TenantedStoreBuilder {
    builder: StoreBuilder,
    mode: TenancyMode,
    for_schema_work: bool,
}

impl TenantedStoreBuilder {
    pub(in crate::store) fn new(builder: StoreBuilder, mode: TenancyMode) -> Self {
        Self { builder, mode, for_schema_work: false }
    }

    /// Also takes a role that passes row level security, as an administrator's does: for [`TenantedStore::schema`],
    /// [`ensure_tenant`](TenantedStore::ensure_tenant) and [`migrate_all`](TenantedStore::migrate_all). What a tenant
    /// holds is not to be had with it: that fails with [`Error::RowSecurityBypassed`]. Matters with
    /// [`TenancyMode::TenantColumn`] only.
    pub fn for_schema_work(mut self) -> Self {
        self.for_schema_work = true;
        self
    }

    /// Connects, when the tenants share a database.
    ///
    /// # Errors
    ///
    /// As [`StoreBuilder::build`]; and [`Error::RowSecurityBypassed`] with [`TenancyMode::TenantColumn`] when this role is
    /// a superuser or has BYPASSRLS, and would see the rows of all tenants.
    pub async fn build(self) -> Result<TenantedStore> {
        let base = self.builder.checked()?;
        let shared = match self.mode {
            TenancyMode::TenantColumn if self.builder.has_pooler() => {
                return Err(Error::Pooler {
                    problem: "tenants that share tables are told apart by a setting of the session".to_owned(),
                    help: "give their store the URL past the pooler, or a pooler in session mode; a schema per tenant \
                           needs neither"
                        .to_owned(),
                });
            }
            TenancyMode::SchemaPerTenant | TenancyMode::TenantColumn => {
                let pool = self.builder.connect().await?;
                self.builder.check_pooler(&pool).await?;
                Some(pool)
            }
            TenancyMode::DatabasePerTenant(_) => None,
        };
        let tables = match (&self.mode, &shared) {
            (TenancyMode::TenantColumn, Some(pool)) => {
                Some(SharedTables::open(&self.builder, pool.clone(), base.clone(), self.for_schema_work).await?)
            }
            _ => None,
        };
        let (mode, builder, known) = (self.mode, self.builder, Mutex::default());
        Ok(TenantedStore { inner: Arc::new(Inner { mode, builder, base, shared, tables, known }) })
    }
}
