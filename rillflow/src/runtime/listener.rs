//! One LISTEN connection per process: it hears marks that others published. Polling heals what it misses.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};

use super::SharedCore;
use super::backoff::Backoff;
use crate::storage::marks::channel;

/// Hears marks until dropped. Lost connections are opened again.
pub(super) async fn listen(core: SharedCore) {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
    loop {
        let error = match hear(&core, &mut backoff).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        tracing::warn!(%error, "lost the connection that listens for events; polling until it is back");
        tokio::time::sleep(backoff.next()).await;
    }
}

async fn hear(core: &SharedCore, backoff: &mut Backoff) -> Result<std::convert::Infallible, sqlx::Error> {
    // a pool of its own: a connection that listens must not go back to those who share one
    let options = core.pool.connect_options().as_ref().clone();
    let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None).connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(&channel(&core.texts)).await?;
    backoff.reset();
    loop {
        let notification = listener.recv().await?;
        match notification.payload().parse() {
            Ok(mark) => core.marks.heard(mark),
            Err(_) => tracing::warn!(payload = notification.payload(), "not a mark: somebody else uses this channel"),
        }
    }
}
