//! One LISTEN connection per process and database, however many stores listen, of however many tenants: it hears what other
//! processes tell. Polling heals what it misses.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgNotification, PgPoolOptions};
use sqlx::{Acquire, Connection};
use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;

use super::backoff::Backoff;
use super::{SharedCore, Task};
use crate::storage::{marks, subscriptions};

/// A connection on which nothing was heard for so long is asked whether it still is one.
const QUIET: Duration = Duration::from_secs(60);
/// How long it may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// The connections that listen in this process.
static EARS: Mutex<Vec<Weak<Ear>>> = Mutex::new(Vec::new());

/// What a store listens by: opened when it is first needed, closed with the last who needs it.
#[derive(Debug, Default)]
pub(crate) struct Listener(Mutex<Weak<Attendance>>);

/// Keeps a store listening.
pub(crate) type Listening = Arc<Attendance>;

impl Listener {
    /// Begins to listen, or joins those who do.
    pub(crate) fn share(core: &SharedCore) -> Listening {
        let mut known = core.listener.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = known.upgrade() {
            return shared;
        }
        let listening = Arc::new(Attendance::begin(core));
        *known = Arc::downgrade(&listening);
        listening
    }
}

/// A store among those that one connection listens for.
#[derive(Debug)]
pub(crate) struct Attendance {
    /// None where no session can be had: then there is only polling.
    ear: Option<Arc<Ear>>,
    core: SharedCore,
}

impl Attendance {
    fn begin(core: &SharedCore) -> Self {
        let ear = core.session_options().map(Ear::of);
        match &ear {
            Some(ear) => ear.audience.change(|all| all.push(core.clone())),
            None => tracing::info!("nobody listens behind a pooler without a direct URL: polling for events"),
        }
        Self { ear, core: core.clone() }
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        if let Some(ear) = &self.ear {
            ear.audience.change(|all| all.retain(|it| !Arc::ptr_eq(it, &self.core)));
        }
    }
}

/// A connection that listens, and for whom.
#[derive(Debug)]
struct Ear {
    place: Place,
    audience: Arc<Audience>,
    _task: Task,
}

/// Where it listens. Its task ends with its runtime, so another one has its own.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    runtime: Id,
    host: String,
    socket: Option<PathBuf>,
    port: u16,
    database: Option<String>,
    user: String,
}

impl Ear {
    /// The one at this place, or a new one.
    fn of(options: PgConnectOptions) -> Arc<Self> {
        let place = Place {
            runtime: Handle::current().id(),
            host: options.get_host().to_owned(),
            socket: options.get_socket().cloned(),
            port: options.get_port(),
            database: options.get_database().map(str::to_owned),
            user: options.get_username().to_owned(),
        };
        let mut ears = EARS.lock().unwrap_or_else(PoisonError::into_inner);
        ears.retain(|it| it.strong_count() > 0);
        if let Some(known) = ears.iter().filter_map(Weak::upgrade).find(|it| it.place == place) {
            return known;
        }
        let audience = Arc::new(Audience::default());
        let task = Task::spawn(listen(options, audience.clone()));
        let ear = Arc::new(Self { place, audience, _task: task });
        ears.push(Arc::downgrade(&ear));
        ear
    }
}

/// Who listens. Stores of one schema share its channels.
#[derive(Debug, Default)]
struct Audience {
    cores: Mutex<Vec<SharedCore>>,
    changed: Notify,
}

impl Audience {
    fn cores(&self) -> MutexGuard<'_, Vec<SharedCore>> {
        // every change under it is whole before anything can panic
        self.cores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Vec<SharedCore>)) {
        change(&mut self.cores());
        self.changed.notify_one();
    }

    fn channels(&self) -> BTreeSet<String> {
        let cores = self.cores();
        cores.iter().flat_map(|core| [marks::channel(&core.texts), subscriptions::channel(&core.texts)]).collect()
    }

    /// Whatever was told before the connection listened.
    fn look_again(&self) {
        for core in self.cores().iter() {
            core.marks.look_again();
            core.members.look_again();
        }
    }

    fn heard(&self, heard: &PgNotification) {
        let all: Vec<_> = self.cores().clone();
        for core in all {
            if heard.channel() == subscriptions::channel(&core.texts) {
                core.members.heard(heard.payload());
            } else if heard.channel() == marks::channel(&core.texts) {
                match heard.payload().parse() {
                    Ok(mark) => core.marks.heard(mark),
                    Err(_) => tracing::warn!(payload = heard.payload(), "not a mark: somebody else uses this channel"),
                }
            }
        }
    }
}

/// Hears until dropped. Lost connections are opened again.
async fn listen(options: PgConnectOptions, audience: Arc<Audience>) {
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(10));
    loop {
        let error = match hear(&options, &audience, &mut backoff).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        tracing::warn!(%error, "lost the connection that listens for events; polling until it is back");
        tokio::time::sleep(backoff.next()).await;
    }
}

async fn hear(
    options: &PgConnectOptions,
    audience: &Audience,
    backoff: &mut Backoff,
) -> Result<Infallible, sqlx::Error> {
    // a pool of its own: a connection that listens must not go back to those who share one
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(DEADLINE)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    let mut channels = BTreeSet::new();
    loop {
        let wanted = audience.channels();
        if wanted != channels {
            let new: Vec<_> = wanted.difference(&channels).map(String::as_str).collect();
            if !new.is_empty() {
                within(listener.listen_all(new)).await?;
            }
            for gone in channels.difference(&wanted) {
                within(listener.unlisten(gone)).await?;
            }
            channels = wanted;
        }
        if backoff.tries() > 0 {
            tracing::info!("listening for events again");
        }
        backoff.reset();
        audience.look_again();
        hear_until_changed(&mut listener, audience).await?;
    }
}

/// Hears until somebody comes or goes.
async fn hear_until_changed(listener: &mut PgListener, audience: &Audience) -> Result<(), sqlx::Error> {
    loop {
        let heard = tokio::select! {
            heard = tokio::time::timeout(QUIET, listener.try_recv()) => heard,
            () = audience.changed.notified() => return Ok(()),
        };
        match heard {
            Ok(Ok(Some(heard))) => audience.heard(&heard),
            Ok(Ok(None)) => return Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into()),
            Ok(Err(error)) => return Err(error),
            Err(_quiet) => within(async { listener.acquire().await?.ping().await }).await?,
        }
    }
}

async fn within<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(DEADLINE, answer).await {
        Ok(answer) => answer,
        Err(late) => Err(sqlx::Error::Io(late.into())),
    }
}
