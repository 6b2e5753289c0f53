//! One LISTEN connection per store, however many listen: it hears what other processes tell. Polling heals what it misses.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Acquire, Connection};

use super::backoff::Backoff;
use super::{SharedCore, Task};
use crate::storage::{marks, subscriptions};

/// A connection on which nothing was heard for so long is asked whether it still is one.
const QUIET: Duration = Duration::from_secs(60);
/// How long it may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// The listener of a store: opened when it is first needed, closed with the last who needs it.
#[derive(Debug, Default)]
pub(crate) struct Listener(Mutex<Weak<Task>>);

/// Keeps the listener's connection open.
pub(crate) type Listening = Arc<Task>;

impl Listener {
    /// Begins to listen, or joins those who do.
    pub(crate) fn share(core: &SharedCore) -> Listening {
        let mut task = core.listener.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = task.upgrade() {
            return shared;
        }
        let listening = Arc::new(Task::spawn(listen(core.clone())));
        *task = Arc::downgrade(&listening);
        listening
    }
}

/// Hears until dropped. Lost connections are opened again.
async fn listen(core: SharedCore) {
    let Some(options) = core.session_options() else {
        return tracing::info!("nobody listens behind a pooler without a direct URL: polling for events");
    };
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(10));
    loop {
        let error = match hear(&core, &options, &mut backoff).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        tracing::warn!(%error, "lost the connection that listens for events; polling until it is back");
        tokio::time::sleep(backoff.next()).await;
    }
}

async fn hear(core: &SharedCore, options: &PgConnectOptions, backoff: &mut Backoff) -> Result<Infallible, sqlx::Error> {
    // a pool of its own: a connection that listens must not go back to those who share one
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(DEADLINE)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    let (mark, members) = (marks::channel(&core.texts), subscriptions::channel(&core.texts));
    within(listener.listen_all([mark.as_str(), members.as_str()])).await?;
    if backoff.tries() > 0 {
        tracing::info!("listening for events again");
    }
    backoff.reset();
    // whatever was told before this connection listened
    core.marks.look_again();
    core.members.look_again();
    loop {
        match tokio::time::timeout(QUIET, listener.try_recv()).await {
            Ok(Ok(Some(heard))) if heard.channel() == members => core.members.heard(heard.payload()),
            Ok(Ok(Some(heard))) => match heard.payload().parse() {
                Ok(mark) => core.marks.heard(mark),
                Err(_) => tracing::warn!(payload = heard.payload(), "not a mark: somebody else uses this channel"),
            },
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
