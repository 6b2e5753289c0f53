//! Layer 4, the runtime: tasks, time and cancellation. No SQL text.

pub(crate) mod aggregates;
pub(crate) mod aliases;
pub(crate) mod append;
mod backoff;
pub(crate) mod daemon;
pub(crate) mod decide;
pub(crate) mod doctor;
pub(crate) mod lanes;
mod listener;
pub(crate) mod marks;
pub(crate) mod plan;
mod projector;
pub(crate) mod reading;
pub(crate) mod rows;
pub(crate) mod session;
pub(crate) mod snapshots;
pub(crate) mod sync;
pub(crate) mod tagged;
pub(crate) mod wait;

use std::sync::Arc;

use sqlx::PgPool;

use crate::model::Registered;
use crate::observe::Observer;
use crate::sql::Texts;
use crate::storage::append::Append;

/// What every part of a store shares.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) pool: PgPool,
    pub(crate) texts: Texts,
    pub(crate) projections: Vec<Registered>,
    pub(crate) lanes: lanes::Lanes,
    pub(crate) marks: marks::Marks,
    pub(crate) progress: wait::Progress,
    pub(crate) aliases: aliases::AliasCache,
    pub(crate) snapshots: snapshots::SnapshotPolicies,
    pub(crate) observer: Observer,
}

impl Core {
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
