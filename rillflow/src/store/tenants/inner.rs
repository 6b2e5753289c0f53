//! The tenants of a store: which there are, and the store of each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{PgConnection, PgPool};

use crate::model::{Collection, TenancyMode, TenantName, prefix};
use crate::runtime::SharedCore;
use crate::runtime::connections::SharedConnections;
use crate::runtime::tenants::{Incarnation, Tenants};
use crate::sql::SchemaName;
use crate::storage::tenants;
use crate::store::tenant_column::SharedTables;
use crate::store::{Store, StoreBuilder, Tenant};
use crate::{BoxError, Error, Result};

/// How long a projection may wait for one of the daemon's connections.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) mode: TenancyMode,
    pub(super) builder: StoreBuilder,
    pub(super) base: SchemaName,
    /// The pool of tenants in one database.
    pub(super) shared: Option<PgPool>,
    /// What tenants share with [`TenancyMode::TenantColumn`].
    pub(super) tables: Option<SharedTables>,
    /// Those in use here. A tenant that was dropped elsewhere stays, and its tables are not found.
    pub(super) known: Mutex<HashMap<TenantName, Store>>,
}

impl Inner {
    pub(super) fn known(&self) -> MutexGuard<'_, HashMap<TenantName, Store>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a tenant's store; one that was opened at the same time comes first, so that all share its tasks.
    pub(super) fn keep(&self, name: TenantName, store: Store) -> Tenant {
        let store = self.known().entry(name.clone()).or_insert(store).clone();
        Tenant::new(name, store)
    }

    /// A tenant's store, whether the tenant is there or not.
    pub(super) async fn open(&self, name: &TenantName) -> Result<Store> {
        if let Some(store) = self.known().get(name) {
            return Ok(store.clone());
        }
        if let Some(tables) = &self.tables {
            return tables.store(&self.builder, name, None);
        }
        match (&self.shared, &self.mode) {
            (Some(pool), _) => self.open_on(pool.clone(), name),
            (None, TenancyMode::DatabasePerTenant(resolver)) => {
                let url = resolver.url(name.as_str()).await.map_err(|source| unresolved(name, source))?;
                let url = url.ok_or_else(|| Error::TenantNotFound { tenant: name.to_string() })?;
                self.builder.clone().on(url).build().await
            }
            (None, TenancyMode::SchemaPerTenant | TenancyMode::TenantColumn) => {
                Err(Error::TenantNotFound { tenant: name.to_string() })
            }
        }
    }

    /// A tenant's store in a schema of its own. Its appends go one by one: lanes that keep a connection for each tenant
    /// would soon keep all of them.
    fn open_on(&self, pool: PgPool, name: &TenantName) -> Result<Store> {
        let schema = SchemaName::new(&name.schema(self.base.as_str())?)?;
        Ok(self.builder.clone().batch_appends(false).open(pool, schema))
    }

    pub(super) async fn names(&self) -> Result<Vec<Incarnation>> {
        let mut names: Vec<_> = match &self.mode {
            TenancyMode::DatabasePerTenant(resolver) => {
                let names = resolver.tenants().await.map_err(|source| unresolved("all", source))?;
                names.iter().map(|name| Ok((TenantName::new(name)?, 0))).collect::<Result<_>>()?
            }
            TenancyMode::SchemaPerTenant => {
                let Some(pool) = &self.shared else { return Ok(Vec::new()) };
                let mut conn = pool.acquire().await?;
                let base = self.base.as_str();
                let schemas =
                    tenants::schemas(&mut conn, &self.builder.texts(self.base.clone()), &prefix(base)).await?;
                let named = |(schema, oid): (String, i64)| Some((TenantName::of_schema(&schema, base)?, oid));
                schemas.into_iter().filter_map(named).collect()
            }
            TenancyMode::TenantColumn => match &self.tables {
                Some(tables) => tables.names().await?,
                None => Vec::new(),
            },
        };
        names.sort();
        Ok(names)
    }

    pub(super) async fn drop_rows(&self, tables: &SharedTables, name: TenantName, force: bool) -> Result<()> {
        let store = self.open(&name).await?;
        if !force && tables.holds_anything(&store).await? {
            return Err(Error::TenantNotEmpty { tenant: name.to_string() });
        }
        tables.remove(&name, &store).await?;
        self.known().remove(&name);
        Ok(())
    }

    pub(super) async fn holds_anything(&self, conn: &mut PgConnection, store: &Store) -> Result<bool> {
        let texts = &store.core.texts;
        if tenants::size(conn, texts).await?.0 > 0 {
            return Ok(true);
        }
        let schemaless = std::iter::once(Collection::SCHEMALESS);
        for collection in store.collections.iter().copied().chain(schemaless) {
            if tenants::holds_any(conn, texts, collection).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn daemon_pool(&self, max_connections: u32) -> Option<PgPool> {
        let shared = self.shared.as_ref()?;
        // with whatever the application's own pool does to its connections, such as becoming a role
        let options = shared.options().clone().min_connections(0).max_connections(max_connections);
        // many projections wait for few connections: that is no failure
        Some(options.acquire_timeout(PATIENCE).connect_lazy_with(shared.connect_options().as_ref().clone()))
    }
}

fn unresolved(tenant: impl ToString, source: BoxError) -> Error {
    Error::TenantResolver { tenant: tenant.to_string(), source }
}

/// The tenants as the daemon sees them: on connections of its own.
pub(super) struct DaemonTenants {
    pub(super) inner: Arc<Inner>,
    pub(super) pool: Option<PgPool>,
    /// The same, for tenants that share tables.
    pub(super) shared: Option<Arc<SharedConnections>>,
}

impl Tenants for DaemonTenants {
    async fn names(&self) -> Result<Vec<Incarnation>> {
        self.inner.names().await
    }

    async fn open(&self, name: &TenantName) -> Result<SharedCore> {
        if let Some(tables) = &self.inner.tables {
            return Ok(tables.store(&self.inner.builder, name, self.shared.as_ref())?.core);
        }
        let store = match &self.pool {
            Some(pool) => self.inner.open_on(pool.clone(), name)?,
            None => self.inner.open(name).await?,
        };
        Ok(store.core)
    }
}
