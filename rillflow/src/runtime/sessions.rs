//! Connections that are sessions of PostgreSQL: for what only a session keeps, such as LISTEN and locks.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::Core;
use crate::{Error, Result};

/// How long PostgreSQL itself may take to answer, as long as a pool does when nobody says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a session is had.
#[derive(Clone, Debug, Default)]
pub(crate) enum Sessions {
    /// Each connection of the pool is one.
    #[default]
    Pool,
    /// Past the pooler.
    Direct(Box<PgConnectOptions>),
    /// Nowhere.
    Nowhere,
}

impl Core {
    /// How to open a session; `None` when nobody said where.
    pub(crate) fn session_options(&self) -> Option<PgConnectOptions> {
        match &self.sessions {
            Sessions::Pool => Some(self.pool.options()),
            Sessions::Direct(options) => Some(options.as_ref().clone()),
            Sessions::Nowhere => None,
        }
    }

    /// A session of one's own, for `what`. What it holds is gone when it closes, for whatever reason.
    pub(super) async fn session(&self, what: &str) -> Result<PgConnection> {
        if matches!(self.sessions, Sessions::Pool) {
            return Ok(self.pool.acquire().await?.detach());
        }
        let options = self.session_options().ok_or_else(|| Error::Pooler {
            problem: format!("{what} needs a session of PostgreSQL, and behind the pooler there is none"),
            help:
                "say where PostgreSQL itself is: `Pooler::transaction().direct_url(..)`, or do it from a program that \
                   is connected to it"
                    .to_owned(),
        })?;
        let connecting = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options));
        Ok(connecting.await.map_err(|_late| Error::PoolTimeout)??)
    }
}
