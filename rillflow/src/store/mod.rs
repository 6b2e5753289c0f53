//! Layer 5, the store: what an application holds.

mod aggregates;
mod append_builder;
mod at_least;
mod builder;
mod bulk;
mod causality;
mod collection;
mod docs;
mod document_query;
mod dynamic;
mod epochs;
mod events;
mod grouped_query;
mod outbox;
mod patch;
mod projection_daemon;
mod projections;
mod queries;
mod query_stream;
mod reading;
mod related_query;
mod repository;
mod roles;
mod schema;
mod schemaless;
mod session;
mod streams;
mod subscriptions;
mod tagged;
mod tenant;
mod tenant_column;
mod tenants;

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;

pub use aggregates::Aggregates;
pub use append_builder::AppendBuilder;
pub use at_least::AtLeast;
pub use builder::{Source, StoreBuilder};
pub use bulk::{BulkInsert, BulkInserted, BulkMode};
pub use docs::Docs;
pub use document_query::{DocumentQuery, SelectQuery};
pub use dynamic::DynamicQuery;
pub use events::Events;
pub use outbox::Outbox;
pub use projection_daemon::{ProjectionDaemon, ProjectionDaemonBuilder};
pub use projections::Projections;
pub use query_stream::QueryStream;
pub use reading::{DecodedEvents, EventStream, ReadAll, ReadStream};
pub use repository::AggregateRepository;
pub use roles::Roles;
pub use schema::{Schema, SchemaTexts};
pub use schemaless::Schemaless;
pub use session::Session;
pub use subscriptions::{DecodedSubscription, Relay, SubscriptionHandle, SubscriptionReceiver, Subscriptions};
pub use tagged::Tagged;
pub use tenant::Tenant;
pub use tenants::{TenantMigrated, TenantStatus, TenantedStore, TenantedStoreBuilder};

use crate::Result;
use crate::model::{Aggregate, Collection, StreamId, StreamKey, TagQuery};
use crate::runtime::daemon::{Daemon, DaemonConfig};
use crate::runtime::doctor::{self, Finding};
use crate::runtime::{SharedCore, wait};
use crate::storage::projections::{ProjectionStatus, status};

/// Documents and events in one PostgreSQL.
///
/// A clone is cheap and shares everything. Every future is cancel safe: what was not committed is not there.
///
/// ```no_run
/// # async fn example() -> rillflow::Result<()> {
/// let store = rillflow::Store::connect("postgres://localhost/app").await?;
/// store.schema().sync(&rillflow::SchemaConfig::single_tenant()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Store {
    core: SharedCore,
    collections: Arc<[&'static Collection]>,
}

impl Store {
    /// Connects with the default settings.
    ///
    /// # Errors
    ///
    /// [`Error::Database`](crate::Error::Database) when the URL is wrong or nobody answers there.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::builder(url).build().await
    }

    /// Begins a store from a URL, or from the application's own [`PgPool`].
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example(pool: sqlx::PgPool) -> rillflow::Result<()> {
    /// let store = rillflow::Store::builder("postgres://localhost/app")
    ///     .max_connections(20)
    ///     .connect_timeout(Duration::from_secs(5))
    ///     .build()
    ///     .await?;
    /// let on_your_own_pool = rillflow::Store::builder(pool).build().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(source: impl Into<Source>) -> StoreBuilder {
        StoreBuilder::new(source.into())
    }

    /// The connections, for the application's own SQL.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        self.core.pool.pool()
    }

    /// Begins a transaction of the application's own, for the calls that take one: `append_in_tx`, `put_in_tx` and the like.
    ///
    /// Dropped without `commit`, it is rolled back. READ COMMITTED, as appends need.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. `pool().begin()` of sqlx 0.9 is not: given up while `BEGIN` is on its way, it gives back a connection
    /// with a transaction open that nobody knows of, and what the next one writes on it is not committed.
    ///
    /// # Errors
    ///
    /// [`Error::PoolTimeout`](crate::Error::PoolTimeout) when no connection is free in time, [`Error::Database`](crate::Error::Database)
    /// for the server's refusal.
    ///
    /// ```no_run
    /// # use rillflow::{Event, Expected};
    /// # async fn example(store: rillflow::Store, order: uuid::Uuid) -> rillflow::Result<()> {
    /// let mut tx = store.begin().await?;
    /// // statements of your own run on `&mut *tx`
    /// store.events().append_in_tx(&mut tx, order, Expected::NoStream, [Event::new("placed", &42)]).await?;
    /// tx.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Postgres>> {
        self.core.pool.begin().await
    }

    /// For what is beside the layers.
    #[cfg(feature = "cli")]
    pub(crate) fn core(&self) -> &SharedCore {
        &self.core
    }

    /// Whether tenants share the tables of its schema.
    #[cfg(feature = "cli")]
    pub(crate) async fn shares_tables(&self) -> Result<bool> {
        let mut conn = self.core.pool.acquire().await?;
        Ok(crate::storage::schema::has_tenant_column(&mut conn, &self.core.texts).await?.unwrap_or(false))
    }

    /// Documents: put, get, update, query.
    #[must_use]
    pub fn docs(&self) -> Docs<'_> {
        Docs::new(&self.core)
    }

    /// Events by stream, typed or not.
    #[must_use]
    pub fn events(&self) -> Events<'_> {
        Events::new(&self.core)
    }

    /// Messages for other systems, which commit with what they tell of.
    #[must_use]
    pub fn outbox(&self) -> Outbox<'_> {
        Outbox::new(&self.core)
    }

    /// One aggregate: load it, decide on it.
    pub fn aggregate<A: Aggregate>(&self, id: impl StreamKey) -> Aggregates<'_, A> {
        let stream_id: StreamId = id.stream_id();
        Aggregates::new(&self.core, stream_id)
    }

    /// Subscriptions: events as they come, each until it is acknowledged.
    #[must_use]
    pub fn subscriptions(&self) -> Subscriptions {
        Subscriptions::of(&self.core)
    }

    /// State folded from all events that carry some tags, whatever their streams: look at it, decide on it.
    pub fn tagged<A: Aggregate>(&self, query: TagQuery) -> Tagged<'_, A> {
        Tagged::new(&self.core, query)
    }

    /// Begins a unit of work: documents and events that are written together, or not at all.
    #[must_use]
    pub fn session(&self) -> Session {
        Session::new(self.core.clone())
    }

    /// The tables, functions and indexes that the store needs.
    #[must_use]
    pub fn schema(&self) -> Schema<'_> {
        Schema::new(self)
    }

    /// The schema that holds everything of this store: name it in SQL of your own.
    #[must_use]
    pub fn schema_name(&self) -> &str {
        self.core.texts.schema().as_str()
    }

    /// Runs the async projections of this store until the [`Daemon`] is dropped or shut down.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn start_daemon(&self) -> Result<Daemon> {
        self.start_daemon_with(DaemonConfig::default()).await
    }

    /// As [`start_daemon`](Self::start_daemon), with other settings.
    ///
    /// # Errors
    ///
    /// As [`start_daemon`](Self::start_daemon).
    pub async fn start_daemon_with(&self, config: DaemonConfig) -> Result<Daemon> {
        Daemon::start(&self.core, config).await
    }

    /// The projections: how far they are, pausing and moving them, running them by hand, their dead letters.
    #[must_use]
    pub fn projections(&self) -> Projections {
        Projections::new(self.core.clone(), DaemonConfig::default())
    }

    /// When a projection of this store runs.
    #[cfg(feature = "testing")]
    pub(crate) fn lifecycle(&self, projection: &str) -> Result<crate::model::Lifecycle> {
        Ok(self.core.registered(projection)?.lifecycle)
    }

    /// Reads what the handlers of a batch look at.
    #[cfg(feature = "testing")]
    pub(crate) async fn look_up(&self, batch: &mut dyn crate::model::ProjectionBatch) -> Result<()> {
        let mut conn = self.core.pool.acquire().await?;
        crate::runtime::append::look_up(&mut conn, &self.core, batch).await
    }

    /// Looks for what is wrong with the store: the connection, the server, the role, the schema, the sequence, who holds
    /// the mark, projections that are behind and why, indexes, dead letters, dead rows. Changes nothing.
    ///
    /// ```no_run
    /// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
    /// for finding in store.diagnose().await?.iter().filter(|it| it.severity >= rillflow::Severity::Warning) {
    ///     eprintln!("{}: {} ({})", finding.check, finding.problem, finding.fix);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the database. What is wrong with the store is a finding, no error.
    pub async fn diagnose(&self) -> Result<Vec<Finding>> {
        let mut findings = doctor::diagnose(&self.core).await?;
        if findings.iter().any(|it| it.check == "schema" && it.severity == crate::Severity::Ok) {
            findings.push(doctor::drift(self.schema().plan(&crate::SchemaConfig::single_tenant()).await));
        }
        Ok(findings)
    }

    /// Waits until a projection has done every event up to `position`, so that a reader sees its own writes.
    ///
    /// The position comes from [`Appended::position`](crate::Appended::position). Holds no connection while it waits.
    /// [`at_least`](Self::at_least) finds the projections of a query by itself.
    ///
    /// # Errors
    ///
    /// [`Error::WaitTimeout`](crate::Error::WaitTimeout) when it did not get there in time,
    /// [`Error::UnknownProjection`](crate::Error::UnknownProjection) when nobody ever registered it.
    pub async fn wait_for(&self, projection: &str, position: i64, timeout: Duration) -> Result<()> {
        wait::wait_for(&self.core, projection, position, timeout).await
    }

    /// How far a projection is and who runs it; `None` when nobody ever ran it.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn projection_status(&self, projection: &str) -> Result<Option<ProjectionStatus>> {
        let mut conn = self.core.pool.acquire().await?;
        Ok(status(&mut conn, &self.core.texts, Some(projection)).await?.pop())
    }
}
