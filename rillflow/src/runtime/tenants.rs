//! One daemon for all tenants: each has its projections run, on connections that all of them share.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::watch;

use super::backoff::Backoff;
use super::daemon::{Daemon, DaemonConfig, Hearing};
use super::{SharedCore, Task};
use crate::Result;
use crate::model::TenantName;
use crate::storage::marks::channel;

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

    /// The pool of all of them, when they share one: then one connection listens for all.
    fn shared_pool(&self) -> Option<PgPool>;
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

/// A tenant that is served here.
struct Served {
    core: SharedCore,
    daemon: Daemon,
}

async fn tend(tenants: impl Tenants, config: DaemonConfig, mut stop: watch::Receiver<bool>) {
    let mut served: HashMap<Incarnation, Served> = HashMap::new();
    let mut listener: Option<Task> = None;
    while !*stop.borrow() {
        match tenants.names().await {
            Ok(names) => {
                if reconcile(&tenants, config, &mut served, names).await
                    && tenants.shared_pool().is_some()
                    && let Some(options) = served.values().find_map(|it| it.core.session_options())
                {
                    listener = Some(Task::spawn(listen(options, by_channel(&served))));
                }
            }
            Err(error) => tracing::warn!(%error, "could not look which tenants there are; trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _stop = stop.changed() => {}
        }
    }
    drop(listener);
    futures_util::future::join_all(served.into_values().map(|it| it.daemon.shutdown())).await;
}

/// Serves those who came, and no longer those who went. True when anything changed.
async fn reconcile(
    tenants: &impl Tenants,
    config: DaemonConfig,
    served: &mut HashMap<Incarnation, Served>,
    names: Vec<Incarnation>,
) -> bool {
    let before = served.len();
    // a dropped tenant's tasks have nothing left to give back
    served.retain(|tenant, _| names.contains(tenant));
    let mut changed = served.len() < before;
    for tenant in names {
        if served.contains_key(&tenant) {
            continue;
        }
        match serve(tenants, &tenant.0, config).await {
            Ok(now) => {
                served.insert(tenant, now);
                changed = true;
            }
            Err(error) => tracing::warn!(tenant = %tenant.0, %error, "could not serve a tenant; trying again"),
        }
    }
    changed
}

/// Who hears of each channel: tenants that share a schema hear of one mark.
fn by_channel(served: &HashMap<Incarnation, Served>) -> HashMap<String, Vec<SharedCore>> {
    let mut cores: HashMap<_, Vec<_>> = HashMap::new();
    for it in served.values() {
        cores.entry(channel(&it.core.texts)).or_default().push(it.core.clone());
    }
    cores
}

async fn serve(tenants: &impl Tenants, name: &TenantName, config: DaemonConfig) -> Result<Served> {
    let core = tenants.open(name).await?;
    let hearing = if tenants.shared_pool().is_some() { Hearing::Elsewhere } else { Hearing::Here };
    let daemon = Daemon::start_hearing(&core, config, hearing).await?;
    Ok(Served { core, daemon })
}

/// Hears the marks of all tenants on one connection. Polling heals what it misses.
async fn listen(options: PgConnectOptions, cores: HashMap<String, Vec<SharedCore>>) {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
    loop {
        let error = match hear(&options, &cores, &mut backoff).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        tracing::warn!(%error, "lost the connection that listens for the tenants' events; polling until it is back");
        tokio::time::sleep(backoff.next()).await;
    }
}

async fn hear(
    options: &PgConnectOptions,
    cores: &HashMap<String, Vec<SharedCore>>,
    backoff: &mut Backoff,
) -> sqlx::Result<Infallible> {
    let own = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&own).await?;
    listener.listen_all(cores.keys().map(String::as_str)).await?;
    backoff.reset();
    loop {
        let heard = listener.recv().await?;
        match (cores.get(heard.channel()), heard.payload().parse()) {
            (Some(cores), Ok(mark)) => cores.iter().for_each(|core| core.marks.heard(mark)),
            _ => tracing::warn!(payload = heard.payload(), "not a mark: somebody else uses this channel"),
        }
    }
}
