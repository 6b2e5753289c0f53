//! Tenants that share tables: each row is one's, and row level security looks.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;

use super::{Store, StoreBuilder};
use crate::model::{SchemaConfig, TenantName};
use crate::runtime::connections::{Connections, SharedConnections};
use crate::runtime::inline;
use crate::runtime::sync::SchemaChanges;
use crate::runtime::tenants::Incarnation;
use crate::sql::{SchemaName, Texts};
use crate::storage::{failure, tenants};
use crate::{Error, Result};

/// How long dropping a tenant waits for those who write to a table, in milliseconds, before it lets those behind it pass;
/// how long it then pauses, and how often it tries.
const LOCK_TIMEOUT: u64 = 1_000;
const LOCK_PAUSE: Duration = Duration::from_millis(200);
const LOCK_TRIES: u32 = 100;

/// What the tenants of a schema share.
#[derive(Debug)]
pub(super) struct SharedTables {
    /// The store of no tenant: for the schema, and for the list of tenants.
    pub(super) base: Store,
    connections: Arc<SharedConnections>,
}

impl SharedTables {
    /// On these connections.
    ///
    /// # Errors
    ///
    /// [`Error::RowSecurityBypassed`] when their role passes row level security, and is not only there for the schema.
    pub(super) async fn open(
        builder: &StoreBuilder,
        pool: PgPool,
        schema: SchemaName,
        for_schema_work: bool,
    ) -> Result<Self> {
        if let Some(role) = tenants::bypassing_role(&mut *pool.acquire().await?).await?.filter(|_| !for_schema_work) {
            return Err(Error::RowSecurityBypassed { role });
        }
        let texts = Arc::new(Texts::with_tenant_column(schema));
        let connections = Arc::new(SharedConnections::of(pool.clone()));
        let base = builder.clone().batch_appends(false).open_on(Connections::of(pool), texts);
        Ok(Self { base, connections })
    }

    fn texts(&self) -> &Arc<Texts> {
        &self.base.core.texts
    }

    /// A tenant's store, on connections that it shares with those of `connections`, or of all.
    pub(super) fn store(
        &self,
        builder: &StoreBuilder,
        name: &TenantName,
        connections: Option<&Arc<SharedConnections>>,
    ) -> Result<Store> {
        let name = name.clone().in_rows()?;
        let connections = Connections::of_tenant(connections.unwrap_or(&self.connections), self.texts(), &name);
        Ok(builder.clone().batch_appends(false).open_on(connections, Arc::clone(self.texts())))
    }

    /// Whether there is such a tenant.
    pub(super) async fn holds(&self, name: &TenantName) -> Result<bool> {
        let mut conn = self.base.core.pool.acquire().await?;
        match tenants::is_there(&mut conn, self.texts(), name).await {
            Err(Error::Schema { .. }) => Ok(false), // nothing was synced yet
            there => there,
        }
    }

    /// Makes a tenant, unless it is there; the schema is brought up to date first, which costs one statement when it is.
    pub(super) async fn ensure(&self, name: &TenantName, store: &Store) -> Result<()> {
        self.migrate(&SchemaConfig::single_tenant()).await?;
        let mut conn = self.base.core.pool.acquire().await?;
        if !tenants::make(&mut conn, self.texts(), name).await? {
            drop(conn);
            self.remove(name, store).await?; // what broke off there
            tenants::make(&mut *self.base.core.pool.acquire().await?, self.texts(), name).await?;
        }
        if store.core.inline().next().is_some() {
            inline::register(&mut *store.core.pool.acquire().await?, &store.core, self.texts()).await?;
        }
        Ok(())
    }

    /// Brings the schema of all of them up to date.
    pub(super) async fn migrate(&self, config: &SchemaConfig) -> Result<SchemaChanges> {
        self.base.schema().sync(config).await
    }

    /// All there are.
    pub(super) async fn names(&self) -> Result<Vec<Incarnation>> {
        let mut conn = self.base.core.pool.acquire().await?;
        let names = match tenants::sharing(&mut conn, self.texts()).await {
            Err(Error::Schema { .. }) => Vec::new(),
            names => names?,
        };
        names.into_iter().map(|(name, since)| Ok((TenantName::new(&name)?, since))).collect()
    }

    async fn tables(&self) -> Result<Vec<String>> {
        tenants::tables(&mut *self.base.core.pool.acquire().await?, self.texts()).await
    }

    /// Its last position, and the bytes of its rows.
    pub(super) async fn size(&self, store: &Store) -> Result<(i64, i64)> {
        let tables = self.tables().await?;
        tenants::size_of_rows(&mut *store.core.pool.acquire().await?, self.texts(), &tables).await
    }

    /// Whether it holds events, messages or documents.
    pub(super) async fn holds_anything(&self, store: &Store) -> Result<bool> {
        let tables = self.tables().await?;
        tenants::holds_rows(&mut *store.core.pool.acquire().await?, self.texts(), &tables).await
    }

    /// Removes a tenant with everything of it. It takes no row from the beginning on, and is listed no more; what breaks
    /// off here is gone on with by another call.
    pub(super) async fn remove(&self, name: &TenantName, store: &Store) -> Result<()> {
        let mut conn = self.base.core.pool.acquire().await?;
        if !tenants::close(&mut conn, self.texts(), name).await? {
            return Err(Error::TenantNotFound { tenant: name.to_string() });
        }
        let tables = tenants::tables(&mut conn, self.texts()).await?;
        drop(conn); // a pool of one must do
        for table in &tables {
            self.wait_for_writers(table).await?;
        }
        let mut tx = store.core.pool.begin().await?;
        tenants::remove(&mut tx, self.texts(), name, &tables).await?;
        Ok(tx.commit().await?)
    }

    /// Waits for those who began to write before the tenant was closed.
    async fn wait_for_writers(&self, table: &str) -> Result<()> {
        let mut tries = 0;
        loop {
            let mut conn = self.base.core.pool.acquire().await?;
            let mut tx = conn.begin().await?;
            match tenants::wait_for_writers(&mut tx, self.texts(), table, LOCK_TIMEOUT).await {
                Ok(()) => return Ok(tx.commit().await?),
                Err(error) if failure::passing(&error) && tries < LOCK_TRIES => tries += 1,
                Err(error) => return Err(error),
            }
            tx.rollback().await?;
            drop(conn);
            tokio::time::sleep(LOCK_PAUSE).await;
        }
    }
}
