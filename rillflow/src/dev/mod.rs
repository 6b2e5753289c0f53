//! A PostgreSQL for development that starts by itself.
//!
//! [`database`] gives a program a database without any set-up: `DATABASE_URL` when it is set, else a server of the
//! machine's own PostgreSQL that is started on a Unix socket, kept running while somebody uses it, and stopped
//! afterwards. [`Postgres`] is that server by itself.
//!
//! | variable | meaning |
//! |---|---|
//! | `DATABASE_URL` | use this server and start none |
//! | `RILLFLOW_PG_BIN` | the folder with `postgres` and `initdb` to use |
//! | `RILLFLOW_PG_GRACE` | seconds that a server started now outlives its last user, instead of 5 or 30 |
//! | `TMPDIR` | where throw-away servers live |
//! | `XDG_DATA_HOME` | where the persistent server keeps its data (below `rillflow`) |
//! | `XDG_CACHE_HOME` | where the template of a fresh data folder is kept, so that the next start takes 0.2 s |
//!
//! Without those two, `~/.local/share` and `~/.cache`; for root `/var/lib` and `/var/cache`, because PostgreSQL
//! refuses to run as root and the account it runs as cannot enter root's home.

mod database;
#[cfg(unix)]
mod local;
#[cfg(not(unix))]
#[path = "elsewhere.rs"]
mod local;
mod postgres;
#[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "one function is for the test databases"))]
pub(crate) mod url;

use std::time::Duration;

#[cfg(feature = "testing")]
pub(crate) use database::database_url;
pub use database::{Database, database, database_named};
#[cfg(feature = "testing-docker")]
pub(crate) use local::remove_container_after_us;
pub use postgres::Postgres;

/// How long a throw-away server outlives its last user, so that the next test process finds it running.
pub const THROW_AWAY_GRACE: Duration = Duration::from_secs(5);

/// How long the persistent server outlives its last user and its last client.
pub const PERSISTENT_GRACE: Duration = Duration::from_secs(30);

/// How long a server may take to accept connections, crash recovery included.
pub const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a server may take to shut down before it is killed.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a process waits for another one that is starting the same server.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(180);
