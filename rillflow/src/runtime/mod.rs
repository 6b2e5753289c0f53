//! Layer 4, the runtime: tasks, time and cancellation. No SQL text.

pub(crate) mod aggregates;
pub(crate) mod aliases;
pub(crate) mod append;
mod backoff;
pub(crate) mod connections;
pub(crate) mod daemon;
pub(crate) mod dead_letters;
pub(crate) mod decide;
pub(crate) mod doctor;
mod handling;
pub(crate) mod inline;
pub(crate) mod lanes;
pub(crate) mod listener;
mod log_reader;
pub(crate) mod marks;
mod owned;
pub(crate) mod plan;
mod projector;
pub(crate) mod reading;
pub(crate) mod rebuild;
pub(crate) mod relay;
mod resume;
pub(crate) mod rows;
pub(crate) mod session;
pub(crate) mod sessions;
pub(crate) mod shards;
pub(crate) mod snapshots;
pub(crate) mod status;
pub(crate) mod subscriber;
pub(crate) mod sync;
pub(crate) mod tagged;
pub(crate) mod tenants;
mod tender;
pub(crate) mod ticks;
pub(crate) mod wait;
pub(crate) mod warm;

use std::sync::Arc;

use sqlx::{PgConnection, PgPool};

use connections::Connections;

use crate::model::{Registered, Work};
use crate::observe::Observer;
use crate::sql::Texts;
use crate::storage::append::Append;
use crate::storage::tenants as tenants_in_storage;

/// What every part of a store shares.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) pool: Connections,
    pub(crate) texts: Arc<Texts>,
    pub(crate) sessions: sessions::Sessions,
    pub(crate) projections: Vec<Registered>,
    pub(crate) lanes: lanes::Lanes,
    pub(crate) warm: warm::Warm,
    pub(crate) marks: marks::Marks,
    pub(crate) listener: listener::Listener,
    pub(crate) members: subscriber::Members,
    pub(crate) progress: wait::Progress,
    pub(crate) log: log_reader::LogReader,
    pub(crate) aliases: aliases::AliasCache,
    pub(crate) snapshots: snapshots::SnapshotPolicies,
    pub(crate) observer: Observer,
}

impl Core {
    /// With projections alone.
    pub(crate) fn new(pool: PgPool, texts: Texts, projections: Vec<Registered>) -> Self {
        Self::on(Connections::of(pool), Arc::new(texts), projections)
    }

    /// On these connections.
    pub(crate) fn on(pool: Connections, texts: Arc<Texts>, projections: Vec<Registered>) -> Self {
        Self {
            pool,
            texts,
            sessions: Default::default(),
            projections,
            lanes: lanes::Lanes::new(0),
            warm: Default::default(),
            marks: Default::default(),
            listener: Default::default(),
            members: Default::default(),
            progress: Default::default(),
            log: Default::default(),
            aliases: Default::default(),
            snapshots: Default::default(),
            observer: Default::default(),
        }
    }

    /// Makes a transaction of the application's own the tenant's that this is the core of, if it is one's.
    ///
    /// # Errors
    ///
    /// [`NotOfTenant`](crate::Error::NotOfTenant) when it is another tenant's.
    pub(crate) async fn join(&self, conn: &mut PgConnection) -> crate::Result<()> {
        match self.pool.tenant() {
            None => Ok(()),
            Some(tenant) => tenants_in_storage::join(conn, &self.texts, tenant).await,
        }
    }

    /// Whether a projection begins anew where it is, not beside the live read model: where it writes nobody knows, or
    /// others share its tables.
    pub(crate) fn begins_in_place(&self, registered: &Registered) -> bool {
        matches!(registered.work, Work::Sql(_)) || self.texts.has_tenant_column()
    }

    /// The projection of this name, when it is registered here.
    pub(crate) fn registered(&self, name: &str) -> crate::Result<&Registered> {
        let found = self.projections.iter().find(|it| &*it.name == name);
        found.ok_or_else(|| crate::Error::UnknownProjection { name: name.to_owned() })
    }

    /// The projections that run behind the appends.
    pub(crate) fn behind(&self) -> impl Iterator<Item = &Registered> {
        self.projections.iter().filter(|it| it.lifecycle == crate::model::Lifecycle::Async)
    }

    /// Gives the events of an append the trace context that the caller is in.
    pub(crate) fn carry(&self, append: &mut Append) {
        if let Some(traceparent) = self.observer.traceparent() {
            append.carry(&traceparent);
        }
    }

    /// The projections that run in the transaction of an append, in the order they were registered.
    pub(crate) fn inline(&self) -> impl Iterator<Item = &Registered> {
        self.projections.iter().filter(|it| it.lifecycle == crate::model::Lifecycle::Inline)
    }
}

/// A task that ends with its handle.
#[derive(Debug)]
pub(crate) struct Task(tokio::task::JoinHandle<()>);

impl Task {
    pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(future))
    }

    /// Whether it has ended.
    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Waits for the task to end by itself.
    pub(crate) async fn join(mut self) -> Result<(), tokio::task::JoinError> {
        (&mut self.0).await
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Shared by the tasks of a store. They hold this, not the store, so that dropping the store ends them.
pub(crate) type SharedCore = Arc<Core>;
