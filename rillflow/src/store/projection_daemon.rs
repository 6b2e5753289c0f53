//! Handlers by name on the application's own pool, ticked by hand.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;

use super::Projections;
use crate::model::{ProjectionHandler, Registered};
use crate::runtime::Core;
use crate::runtime::daemon::{Daemon, DaemonConfig};
use crate::runtime::ticks::TickResult;
use crate::sql::{SchemaName, Texts};
use crate::{Error, Result};

/// Projection handlers that are registered by name, and run when the application says so: from a loop, a timer, a job.
///
/// The projections that a [`Store`](crate::Store) knows need none of this: `store.start_daemon()` runs them, and
/// `store.projections()` ticks them.
///
/// ```no_run
/// # use rillflow::{BoxError, EventEnvelope, RawJson};
/// # use rillflow::projections::ProjectionHandler;
/// # use sqlx::{Postgres, Transaction};
/// # struct MyProjection;
/// # impl ProjectionHandler for MyProjection {
/// #     async fn apply(&self, _: &str, _: &RawJson, _: &EventEnvelope, _: &mut Transaction<'_, Postgres>) -> Result<(), BoxError> { Ok(()) }
/// # }
/// use rillflow::projection_runtime::ProjectionDaemon;
/// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
/// let daemon = ProjectionDaemon::builder(store.pool().clone())
///     .schema("public")
///     .batch_size(500)
///     .register("my_projection", MyProjection)
///     .build()?;
/// daemon.run_until_idle().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ProjectionDaemon {
    pool: PgPool,
    schema: SchemaName,
    config: DaemonConfig,
    registered: Vec<Registered>,
    core: Arc<Core>,
}

/// The settings of a [`ProjectionDaemon`] to be.
#[derive(Debug)]
#[must_use = "nothing runs before `build()`"]
pub struct ProjectionDaemonBuilder {
    pool: PgPool,
    schema: String,
    config: DaemonConfig,
    registered: Vec<Registered>,
}

impl ProjectionDaemonBuilder {
    /// The schema that holds the store; `public` by default.
    pub fn schema(mut self, name: &str) -> Self {
        name.clone_into(&mut self.schema);
        self
    }

    /// How many events one batch holds at most.
    pub fn batch_size(mut self, events: i64) -> Self {
        self.config.batch_size = events;
        self
    }

    /// How long a projection stays with an owner that is not heard of.
    pub fn lease_ttl(mut self, ttl: Duration) -> Self {
        self.config.lease_ttl = ttl;
        self
    }

    /// The pause after a first failure, which doubles with each, and the longest.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        (self.config.first_retry, self.config.longest_retry) = (first, longest);
        self
    }

    /// How often an event is tried before it becomes a dead letter.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.config.max_attempts = attempts;
        self
    }

    /// Adds a projection.
    pub fn register(mut self, name: &str, handler: impl ProjectionHandler) -> Self {
        self.registered.push(Registered::handler(name, handler));
        self
    }

    /// Makes the daemon.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] for a schema name that cannot be.
    pub fn build(self) -> Result<ProjectionDaemon> {
        let schema = SchemaName::new(&self.schema)?;
        Ok(ProjectionDaemon::made(self.pool, schema, self.config, self.registered))
    }
}

impl ProjectionDaemon {
    /// On a pool, in the schema `public`.
    #[must_use]
    pub fn new(pool: PgPool, config: DaemonConfig) -> Self {
        Self::made(pool, SchemaName::default(), config, Vec::new())
    }

    /// Begins a daemon on a pool.
    pub fn builder(pool: PgPool) -> ProjectionDaemonBuilder {
        ProjectionDaemonBuilder {
            pool,
            schema: SchemaName::default().as_str().to_owned(),
            config: DaemonConfig::default(),
            registered: Vec::new(),
        }
    }

    fn made(pool: PgPool, schema: SchemaName, config: DaemonConfig, registered: Vec<Registered>) -> Self {
        let core = Core::new(pool.clone(), Texts::new(schema.clone()), registered.clone());
        Self { pool, schema, config, registered, core: Arc::new(core) }
    }

    /// Adds a projection. One of the same name is replaced.
    pub fn register(&mut self, name: &str, handler: impl ProjectionHandler) {
        self.registered.retain(|it| &*it.name != name);
        self.registered.push(Registered::handler(name, handler));
        self.core = Arc::new(Core::new(self.pool.clone(), Texts::new(self.schema.clone()), self.registered.clone()));
    }

    /// Runs one batch of a projection.
    ///
    /// # Errors
    ///
    /// As [`Projections::run_once`].
    pub async fn tick_once(&self, name: &str) -> Result<TickResult> {
        let ticked = self.projections().run_once(name).await?;
        ticked
            .into_iter()
            .next()
            .map(|(_, result)| result)
            .ok_or_else(|| Error::UnknownProjection { name: name.to_owned() })
    }

    /// Runs one batch of each projection in turn.
    ///
    /// # Errors
    ///
    /// As [`Projections::run_once`].
    pub async fn tick_all_once(&self) -> Result<Vec<(String, TickResult)>> {
        self.projections().run_once(None).await
    }

    /// Runs each projection until every event that is settled by now is handled.
    ///
    /// # Errors
    ///
    /// As [`Projections::run_once`].
    pub async fn run_until_idle(&self) -> Result<Vec<(String, TickResult)>> {
        self.projections().run_until_idle(None).await
    }

    /// Runs the projections in the background until the returned [`Daemon`] is dropped or shut down.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] when the schema was not synced.
    pub async fn start(&self) -> Result<Daemon> {
        Daemon::start(&self.core, self.config).await
    }

    /// Status, pausing, dead letters.
    #[must_use]
    pub fn projections(&self) -> Projections {
        Projections::new(self.core.clone(), self.config)
    }
}
