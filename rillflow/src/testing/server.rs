//! Which server the test databases are made on.

use std::time::Duration;

use sqlx::{Connection, PgConnection};

use crate::dev::{self, Postgres, url};
use crate::{Error, Result};

/// Names the kind of server.
const BACKEND_VARIABLE: &str = "RILLFLOW_TEST_BACKEND";

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A server and what keeps it running.
#[derive(Clone, Debug)]
pub(super) enum Server {
    /// The one of `DATABASE_URL`.
    Given(String),
    Local(Postgres),
    #[cfg(feature = "testing-docker")]
    Container(String),
}

impl Server {
    pub(super) async fn of_this_run() -> Result<Self> {
        let backend = std::env::var(BACKEND_VARIABLE).unwrap_or_default();
        match (backend.as_str(), dev::database_url()) {
            ("", Some(url)) => Ok(Self::Given(url)),
            ("" | "local", _) => Ok(Self::Local(Postgres::shared().await?)),
            ("docker", _) => container().await,
            (other, _) => {
                Err(Error::Development(format!("{BACKEND_VARIABLE}={other} is unknown: set it to `local` or `docker`")))
            }
        }
    }

    /// Where databases are made and dropped.
    pub(super) fn admin_url(&self) -> String {
        match self {
            Self::Given(url) => url.clone(),
            Self::Local(postgres) => postgres.url("postgres"),
            #[cfg(feature = "testing-docker")]
            Self::Container(url) => url.clone(),
        }
    }

    /// True when nobody deletes the server after the tests.
    pub(super) fn stays(&self) -> bool {
        matches!(self, Self::Given(_))
    }
}

#[cfg(feature = "testing-docker")]
async fn container() -> Result<Server> {
    super::docker::url().await.map(Server::Container)
}

#[cfg(not(feature = "testing-docker"))]
async fn container() -> Result<Server> {
    Err(Error::Development(format!(
        "{BACKEND_VARIABLE}=docker needs rillflow's feature `testing-docker`: enable it in Cargo.toml, or unset the \
         variable to use a local PostgreSQL"
    )))
}

/// A connection to make, drop or look at databases with.
pub(super) async fn connect(url: &str) -> Result<PgConnection> {
    let place = url::without_login(url);
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect(url)).await;
    let why = match connected {
        Ok(Ok(conn)) => return Ok(conn),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer in {CONNECT_TIMEOUT:?}"),
    };
    Err(Error::Development(format!("cannot connect to the tests' PostgreSQL at `{place}`: {why}")))
}
