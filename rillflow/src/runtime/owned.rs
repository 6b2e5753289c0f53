//! The task of one projection, while this process owns it: batch after batch, until it is stopped, lost, or fails.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::SharedCore;
use super::daemon::DaemonConfig;
use super::marks::Marks;
use super::projector::{Advance, Projector};
use crate::Result;
use crate::model::Registered;
use crate::storage::projections::{self, Lease};

/// A projection that ran here does so no more.
pub(super) struct Ended {
    pub(super) name: Arc<str>,
    pub(super) token: i64,
    /// Whether it handled anything.
    pub(super) moved: bool,
    /// Whether it failed.
    pub(super) failed: bool,
}

/// The task of one projection, while this process owns it.
pub(super) struct Owned {
    pub(super) core: SharedCore,
    pub(super) registered: Registered,
    pub(super) config: DaemonConfig,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) ended: mpsc::UnboundedSender<Ended>,
}

impl Owned {
    pub(super) async fn run(mut self, lease: Lease) {
        let mut moved = false;
        let worked = self.work(lease, &mut moved).await;
        let failed = worked.is_err();
        if let Err(error) = worked {
            tracing::warn!(projection = &*self.registered.name, %error, "a projection stopped; trying again");
        }
        let name = self.registered.name.clone();
        // nobody listens when the daemon is gone
        let _nobody = self.ended.send(Ended { name, token: lease.token, moved, failed });
    }

    /// Works until told to stop or until the lease is lost; the lease is given back unless it is lost.
    async fn work(&mut self, lease: Lease, moved: &mut bool) -> Result<()> {
        let worked = match Projector::begin(&self.core, &self.registered, lease, self.config).await {
            Ok(Some(projector)) => self.advance(projector.sharing_reads(), moved).await,
            Ok(None) => return Ok(()),
            Err(error) => Err(error),
        };
        let (texts, name) = (&self.core.texts, &self.registered.name);
        let mut conn = self.core.pool.acquire().await?;
        if let Err(error) = &worked {
            projections::note_failure(&mut conn, texts, name, lease.token, &error.to_string()).await?;
        }
        projections::release_lease(&mut conn, texts, name, lease.token).await?;
        worked
    }

    async fn advance(&mut self, mut projector: Projector, moved: &mut bool) -> Result<()> {
        let mut mark = Marks::follow(&self.core);
        while !*self.stop.borrow() {
            match projector.advance().await? {
                Advance::Moved(_) => *moved = true,
                Advance::Lost => return Ok(()),
                Advance::UpToDate => {
                    tokio::select! {
                        _changed = mark.changed() => {}
                        _stop = self.stop.changed() => {}
                    }
                }
                Advance::Again(pause, error) => {
                    tracing::warn!(%error, ?pause, "an event failed; trying it again");
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        _stop = self.stop.changed() => {}
                    }
                }
            }
        }
        Ok(())
    }
}
