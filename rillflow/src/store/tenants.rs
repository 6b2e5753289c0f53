//! A store for many tenants: nothing can be read or written in it without saying whose it is.

mod builder;
mod inner;

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;

pub use self::builder::TenantedStoreBuilder;
use self::inner::{DaemonTenants, Inner};
use super::{Schema, Tenant};
use crate::model::{SchemaConfig, TenancyMode, TenantName};
use crate::runtime::connections::SharedConnections;
use crate::runtime::daemon::DaemonConfig;
use crate::runtime::sync::SchemaChanges;
use crate::runtime::tenants::{Incarnation, TenantsDaemon};
use crate::storage::tenants;
use crate::{Error, Result};

/// How many tenants are brought up to date at the same time.
const AT_ONCE: usize = 4;

/// A store for many tenants, made by [`StoreBuilder::tenants`](crate::StoreBuilder::tenants). A clone is cheap and shares everything.
///
/// It has no documents and no events of its own: they are a [`Tenant`]'s.
///
/// ```no_run
/// # use rillflow::{Document, Store, TenancyMode};
/// # #[derive(serde::Serialize, serde::Deserialize, Document)]
/// # struct Note { #[document(id)] id: i64 }
/// # async fn example(url: &str) -> rillflow::Result<()> {
/// let store = Store::builder(url).document::<Note>().tenants(TenancyMode::SchemaPerTenant).build().await?;
/// store.ensure_tenant("acme").await?;
/// let acme = store.tenant("acme").await?;
/// acme.docs().put(&Note { id: 1 }).await?;
/// # Ok(())
/// # }
/// ```
///
/// A call that does not say whose it is does not compile:
///
/// ```compile_fail,E0599
/// # use rillflow::TenantedStore;
/// # async fn example(store: TenantedStore) {
/// store.events().read_all(0, 10).await;
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TenantedStore {
    inner: Arc<Inner>,
}

/// How a tenant is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantStatus {
    /// Its name.
    pub name: String,
    /// The schema that holds everything of it.
    pub schema: String,
    /// How many steps its schema is from what this program wants.
    pub differences: usize,
    /// The highest position of its events.
    pub position: i64,
    /// What its tables and indexes take on disk, in bytes; with [`TenancyMode::TenantColumn`] what its rows do, which
    /// are read for it, all of them.
    pub bytes: i64,
}

/// What became of one tenant in [`TenantedStore::migrate_all`].
#[derive(Debug)]
#[non_exhaustive]
pub struct TenantMigrated {
    /// The tenant.
    pub name: String,
    /// What was done, or why it was not.
    pub result: Result<SchemaChanges>,
    /// How many tenants are done, this one included.
    pub done: usize,
    /// How many there are.
    pub total: usize,
}

impl TenantedStore {
    /// A tenant. The first time in this process it is looked for; then it costs nothing.
    ///
    /// # Errors
    ///
    /// [`Error::TenantNotFound`] when nobody [made](Self::ensure_tenant) it, [`Error::TenantName`] for a name that no
    /// tenant can have.
    pub async fn tenant(&self, name: &str) -> Result<Tenant> {
        let name = TenantName::new(name)?;
        if let Some(store) = self.inner.known().get(&name) {
            return Ok(Tenant::new(name, store.clone()));
        }
        let store = self.inner.open(&name).await?;
        let there = match &self.inner.tables {
            Some(tables) => tables.holds(&name).await?,
            None => tenants::is_synced(&mut *store.core.pool.acquire().await?, &store.core.texts).await?,
        };
        match there {
            true => Ok(self.inner.keep(name, store)),
            false => Err(Error::TenantNotFound { tenant: name.to_string() }),
        }
    }

    /// Makes a tenant, or brings it up to date. With a database per tenant, the database is there already.
    ///
    /// # Errors
    ///
    /// As [`Schema::sync`](super::Schema::sync), and [`Error::TenantName`].
    pub async fn ensure_tenant(&self, name: &str) -> Result<Tenant> {
        let name = TenantName::new(name)?;
        let store = self.inner.open(&name).await?;
        match &self.inner.tables {
            Some(tables) => tables.ensure(&name, &store).await?,
            None => drop(store.schema().sync(&SchemaConfig::single_tenant()).await?),
        }
        Ok(self.inner.keep(name, store))
    }

    /// The names of all tenants, in their order.
    ///
    /// # Errors
    ///
    /// [`Error::Database`], or what the resolver fails with.
    pub async fn list_tenants(&self) -> Result<Vec<String>> {
        let names = self.inner.names().await?;
        Ok(names.into_iter().map(|(name, _)| name.to_string()).collect())
    }

    /// How a tenant is.
    ///
    /// # Errors
    ///
    /// As [`tenant`](Self::tenant).
    pub async fn tenant_status(&self, name: &str) -> Result<TenantStatus> {
        let tenant = self.tenant(name).await?;
        let plan = tenant.schema().plan(&SchemaConfig::single_tenant()).await?;
        let core = &tenant.store().core;
        let (position, bytes) = match &self.inner.tables {
            Some(tables) => tables.size(tenant.store()).await?,
            None => tenants::size(&mut *core.pool.acquire().await?, &core.texts).await?,
        };
        Ok(TenantStatus {
            name: tenant.name().to_owned(),
            schema: tenant.schema_name().to_owned(),
            differences: plan.steps.len(),
            position,
            bytes,
        })
    }

    /// Drops a tenant's schema with everything in it, or its rows. Without `force` only one that holds nothing.
    ///
    /// With [`TenancyMode::TenantColumn`] the tenant takes no row any more as soon as this begins; its rows then go in one
    /// transaction. A drop that breaks off in between is gone on with by another call, or by
    /// [`ensure_tenant`](Self::ensure_tenant).
    ///
    /// Whoever still uses the tenant finds its tables gone; a process that held it has to forget it (start anew) before a
    /// tenant of the same name is made. Waits for those who are in the middle of a transaction.
    ///
    /// # Errors
    ///
    /// [`Error::TenantNotEmpty`] when it holds events or documents, and `force` is not given;
    /// [`Error::TenantNotFound`]; [`Error::Schema`] with a database per tenant, which goes by `DROP DATABASE`.
    pub async fn drop_tenant(&self, name: &str, force: bool) -> Result<()> {
        if matches!(self.inner.mode, TenancyMode::DatabasePerTenant(_)) {
            return Err(Error::Schema {
                problem: format!("tenant `{name}` is a database of its own"),
                help: "drop the database, and let the resolver forget it".to_owned(),
            });
        }
        if let Some(tables) = &self.inner.tables {
            return self.inner.drop_rows(tables, TenantName::new(name)?, force).await;
        }
        let tenant = self.tenant(name).await?;
        let store = tenant.store();
        let mut conn = store.core.pool.acquire().await?;
        if !force && self.inner.holds_anything(&mut conn, store).await? {
            return Err(Error::TenantNotEmpty { tenant: name.to_owned() });
        }
        tenants::drop_schema(&mut conn, &store.core.texts).await?;
        self.inner.known().remove(&TenantName::new(name)?);
        Ok(())
    }

    /// Brings every tenant up to date, a few at a time. One that fails does not stop the others. With
    /// [`TenancyMode::TenantColumn`] there is one schema: it is brought up to date once, and each tenant's result tells of
    /// the same steps.
    ///
    /// ```no_run
    /// # use rillflow::{SchemaConfig, TenantedStore};
    /// # async fn example(store: TenantedStore) -> rillflow::Result<()> {
    /// let all = store
    ///     .migrate_all(&SchemaConfig::single_tenant(), |it| println!("{}/{} {}", it.done, it.total, it.name))
    ///     .await?;
    /// let failed: Vec<_> = all.iter().filter(|it| it.result.is_err()).collect();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`list_tenants`](Self::list_tenants); what became of each tenant is in its own result. With
    /// [`TenancyMode::TenantColumn`] as [`Schema::sync`](super::Schema::sync).
    pub async fn migrate_all(
        &self,
        config: &SchemaConfig,
        mut progress: impl FnMut(&TenantMigrated) + Send,
    ) -> Result<Vec<TenantMigrated>> {
        if let Some(tables) = &self.inner.tables {
            let changes = tables.migrate(config).await?;
            return Ok(told_of_all(self.inner.names().await?, &changes, progress));
        }
        let names = self.inner.names().await?;
        let total = names.len();
        let mut syncs = stream::iter(names)
            .map(|(name, _)| async move {
                let result = match self.inner.open(&name).await {
                    Ok(store) => store.schema().sync(config).await,
                    Err(error) => Err(error),
                };
                (name, result)
            })
            .buffer_unordered(AT_ONCE);
        let mut all = Vec::with_capacity(total);
        while let Some((name, result)) = syncs.next().await {
            all.push(TenantMigrated { name: name.to_string(), result, done: all.len() + 1, total });
            all.last().into_iter().for_each(&mut progress);
        }
        Ok(all)
    }

    /// The schema that tenants share, with [`TenancyMode::TenantColumn`]: to plan, sync or assert it, and for its roles.
    /// `None` when each tenant has its own: [`Tenant`]'s `schema()`.
    ///
    /// ```no_run
    /// # use rillflow::{SchemaConfig, Store, TenancyMode};
    /// # async fn example(administrator: &str) -> rillflow::Result<()> {
    /// let builder = Store::builder(administrator).tenants(TenancyMode::TenantColumn);
    /// let store = builder.for_schema_work().build().await?;
    /// if let Some(schema) = store.schema() {
    ///     schema.sync(&SchemaConfig::single_tenant()).await?;
    ///     schema.roles().named("shop").apply().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn schema(&self) -> Option<Schema<'_>> {
        self.inner.tables.as_ref().map(|tables| tables.base.schema())
    }

    /// Runs the async projections of every tenant, those included that are made later, until the [`TenantsDaemon`] is
    /// dropped or shut down.
    ///
    /// In one database it works with at most `max_connections` connections however many tenants there are, beside those
    /// of the store, and one more that listens. With a database per tenant it uses each tenant's own pool, and a
    /// connection that listens for each.
    ///
    /// A tenant that cannot be served yet is tried again and again.
    pub fn start_daemon(&self, config: DaemonConfig, max_connections: u32) -> TenantsDaemon {
        let inner = Arc::clone(&self.inner);
        let pool = inner.daemon_pool(max_connections);
        let shared = pool.as_ref().map(|pool| Arc::new(SharedConnections::of(pool.clone())));
        TenantsDaemon::start(DaemonTenants { pool, shared, inner }, config)
    }
}

/// What became of tenants that share a schema, which was brought up to date.
fn told_of_all(
    names: Vec<Incarnation>,
    changes: &SchemaChanges,
    progress: impl FnMut(&TenantMigrated),
) -> Vec<TenantMigrated> {
    let total = names.len();
    let all: Vec<_> = names
        .into_iter()
        .zip(1..)
        .map(|((name, _), done)| TenantMigrated { name: name.to_string(), result: Ok(changes.clone()), done, total })
        .collect();
    all.iter().for_each(progress);
    all
}
