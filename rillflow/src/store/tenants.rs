//! A store for many tenants: nothing can be read or written in it without saying whose it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use sqlx::PgPool;

use super::tenant_column::SharedTables;
use super::{Schema, Store, StoreBuilder, Tenant};
use crate::model::{SchemaConfig, TenancyMode, TenantName, prefix};
use crate::runtime::SharedCore;
use crate::runtime::connections::SharedConnections;
use crate::runtime::daemon::DaemonConfig;
use crate::runtime::sync::SchemaChanges;
use crate::runtime::tenants::{Incarnation, Tenants, TenantsDaemon};
use crate::sql::SchemaName;
use crate::storage::tenants;
use crate::{Error, Result};

/// How many tenants are brought up to date at the same time.
const AT_ONCE: usize = 4;

/// How long a projection may wait for one of the daemon's connections.
const PATIENCE: Duration = Duration::from_secs(600);

/// A store for many tenants, made by [`StoreBuilder::tenants`]. A clone is cheap and shares everything.
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

#[derive(Debug)]
struct Inner {
    mode: TenancyMode,
    builder: StoreBuilder,
    base: SchemaName,
    /// The pool of tenants in one database.
    shared: Option<PgPool>,
    /// What tenants share with [`TenancyMode::TenantColumn`].
    tables: Option<SharedTables>,
    /// Those in use here. A tenant that was dropped elsewhere stays, and its tables are not found.
    known: Mutex<HashMap<TenantName, Store>>,
}

/// The settings of a store for many tenants.
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `build().await`"]
pub struct TenantedStoreBuilder {
    builder: StoreBuilder,
    mode: TenancyMode,
    for_schema_work: bool,
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

impl TenantedStoreBuilder {
    pub(super) fn new(builder: StoreBuilder, mode: TenancyMode) -> Self {
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

impl Inner {
    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<TenantName, Store>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a tenant's store; one that was opened at the same time comes first, so that all share its tasks.
    fn keep(&self, name: TenantName, store: Store) -> Tenant {
        let store = self.known().entry(name.clone()).or_insert(store).clone();
        Tenant::new(name, store)
    }

    /// A tenant's store, whether the tenant is there or not.
    async fn open(&self, name: &TenantName) -> Result<Store> {
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

    async fn names(&self) -> Result<Vec<Incarnation>> {
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

    async fn drop_rows(&self, tables: &SharedTables, name: TenantName, force: bool) -> Result<()> {
        let store = self.open(&name).await?;
        if !force && tables.holds_anything(&store).await? {
            return Err(Error::TenantNotEmpty { tenant: name.to_string() });
        }
        tables.remove(&name, &store).await?;
        self.known().remove(&name);
        Ok(())
    }

    async fn holds_anything(&self, conn: &mut sqlx::PgConnection, store: &Store) -> Result<bool> {
        let texts = &store.core.texts;
        if tenants::size(conn, texts).await?.0 > 0 {
            return Ok(true);
        }
        let schemaless = std::iter::once(crate::model::Collection::SCHEMALESS);
        for collection in store.collections.iter().copied().chain(schemaless) {
            if tenants::holds_any(conn, texts, collection).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn daemon_pool(&self, max_connections: u32) -> Option<PgPool> {
        let shared = self.shared.as_ref()?;
        // with whatever the application's own pool does to its connections, such as becoming a role
        let options = shared.options().clone().min_connections(0).max_connections(max_connections);
        // many projections wait for few connections: that is no failure
        Some(options.acquire_timeout(PATIENCE).connect_lazy_with(shared.connect_options().as_ref().clone()))
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

fn unresolved(tenant: impl ToString, source: crate::BoxError) -> Error {
    Error::TenantResolver { tenant: tenant.to_string(), source }
}

/// The tenants as the daemon sees them: on connections of its own.
struct DaemonTenants {
    inner: Arc<Inner>,
    pool: Option<PgPool>,
    /// The same, for tenants that share tables.
    shared: Option<Arc<SharedConnections>>,
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
