//! One daemon for all tenants: each has its projections run, on connections that all of them share.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;

use super::daemon::{Daemon, DaemonConfig};
use super::{SharedCore, Task};
use crate::Result;
use crate::model::TenantName;

/// How often it looks for tenants that came or went.
const LOOK: Duration = Duration::from_secs(2);

/// A tenant as it is now: one that was dropped and made anew under its name is another one.
pub(crate) type Incarnation = (TenantName, i64);

/// Where the daemon finds tenants.
pub(crate) trait Tenants: Send + Sync + 'static {
    /// All there are now.
    fn names(&self) -> impl Future<Output = Result<Vec<Incarnation>>> + Send;

    /// A tenant's core, on the daemon's connections.
    fn open(&self, name: &TenantName) -> impl Future<Output = Result<SharedCore>> + Send;
}

/// The running async projections of every tenant. Those made later join within some seconds; those dropped leave.
///
/// Any number of processes may run one: each projection of each tenant has one owner at a time. One tenant whose
/// projections fail holds up no other.
#[derive(Debug)]
#[must_use = "the daemon stops when it is dropped"]
pub struct TenantsDaemon {
    stop: watch::Sender<bool>,
    tender: Task,
}

impl TenantsDaemon {
    pub(crate) fn start(tenants: impl Tenants, config: DaemonConfig) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, tender: Task::spawn(tend(tenants, config, stopped)) }
    }

    /// Stops after the batches in hand, and gives every projection to whoever asks next.
    pub async fn shutdown(self) {
        // an error means that the task has ended already
        if self.stop.send(true).is_ok()
            && let Err(error) = self.tender.join().await
        {
            tracing::error!(%error, "the task of the tenants' daemon ended badly");
        }
    }
}

async fn tend(tenants: impl Tenants, config: DaemonConfig, mut stop: watch::Receiver<bool>) {
    let mut served: HashMap<Incarnation, Daemon> = HashMap::new();
    while !*stop.borrow() {
        match tenants.names().await {
            Ok(names) => reconcile(&tenants, config, &mut served, names).await,
            Err(error) => tracing::warn!(%error, "could not look which tenants there are; trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _stop = stop.changed() => {}
        }
    }
    futures_util::future::join_all(served.into_values().map(Daemon::shutdown)).await;
}

/// Serves those who came, and no longer those who went.
async fn reconcile(
    tenants: &impl Tenants,
    config: DaemonConfig,
    served: &mut HashMap<Incarnation, Daemon>,
    names: Vec<Incarnation>,
) {
    // a dropped tenant's tasks have nothing left to give back
    served.retain(|tenant, _| names.contains(tenant));
    for tenant in names {
        if served.contains_key(&tenant) {
            continue;
        }
        match serve(tenants, &tenant.0, config).await {
            Ok(now) => drop(served.insert(tenant, now)),
            Err(error) => tracing::warn!(tenant = %tenant.0, %error, "could not serve a tenant; trying again"),
        }
    }
}

async fn serve(tenants: &impl Tenants, name: &TenantName, config: DaemonConfig) -> Result<Daemon> {
    Daemon::start_among(&tenants.open(name).await?, config).await
}
