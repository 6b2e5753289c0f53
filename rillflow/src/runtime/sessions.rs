//! Connections that are sessions of PostgreSQL: for what only a session keeps, such as LISTEN and locks.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::Core;
use crate::storage::doctor;
use crate::{Error, Result};

/// How long PostgreSQL itself may take to answer, as long as a pool does when nobody says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a second connection may take to tell whether a pooler is in between.
const SECOND_CONNECTION: Duration = Duration::from_secs(2);

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
            let mut conn = self.pool.acquire().await?.detach();
            if self.lends_sessions(&mut conn).await? {
                return Err(undeclared(what));
            }
            return Ok(conn);
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

    /// Whether a pooler that nobody declared is in between. It is seen when two connections of ours, of which one holds a
    /// transaction, are answered by one session, or when the other one changes its session: at the latest when that
    /// transaction ends, as its session then is the next one to be lent.
    pub(super) async fn lends_sessions(&self, conn: &mut PgConnection) -> Result<bool> {
        let looking = async {
            let before = doctor::backend(conn).await?;
            let Ok(mut other) = self.pool.begin().await else { return Ok(false) };
            if doctor::backend(&mut other).await? == before || doctor::backend(conn).await? != before {
                return Ok(true);
            }
            other.rollback().await?;
            Ok(doctor::backend(conn).await? != before)
        };
        // a pooler with one server, or a server that is slow: that is not for us to say
        tokio::time::timeout(SECOND_CONNECTION, looking).await.unwrap_or(Ok(false))
    }
}

fn undeclared(what: &str) -> Error {
    Error::Pooler {
        problem: format!("{what} needs a session of PostgreSQL, and a pooler in transaction mode is in between"),
        help:
            "declare it, `Store::builder(url).pooler(Pooler::transaction().direct_url(..))`, or give this program the \
               URL past it"
                .to_owned(),
    }
}
