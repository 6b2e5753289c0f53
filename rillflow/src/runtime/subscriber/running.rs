//! A member that runs here, and what ends it.

use std::sync::Arc;

use super::{End, Shared, SubscriptionHealth};
use crate::Result;
use crate::runtime::Task;

/// The tasks of a member, and what they share. Dropping it stops them where they are.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) shared: Arc<Shared>,
    _tasks: Vec<Task>,
}

impl Running {
    pub(crate) fn new(shared: Arc<Shared>, tasks: impl Into<Vec<Task>>) -> Self {
        Self { shared, _tasks: tasks.into() }
    }

    /// What it has in hand, and what keeps it from going on.
    pub(crate) fn health(&self) -> SubscriptionHealth {
        self.shared.health()
    }

    /// Stores what is done, gives back what is held, and ends; the error that ended it before, if one did.
    pub(crate) async fn shutdown(&self) -> Result<()> {
        self.shared.stop();
        self.shared.ended().await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // the tasks end at their next await; nothing may be taken until then
        self.shared.finish(End::Stopped);
    }
}
