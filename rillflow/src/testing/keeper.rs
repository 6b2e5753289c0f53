//! One background thread per server: says that this process lives, drops its databases, sweeps those of dead ones.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as wait};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::mpsc;

use super::server::{self, Server};
use super::sweep;
use super::template::now;
use crate::dev::url;
use crate::{Error, Result};

/// How long dropping a value waits for its database to be dropped, where it waits at all.
const DROP_PATIENCE: Duration = Duration::from_secs(5);

/// The way to the thread of one server.
#[derive(Clone, Debug)]
pub(super) struct Keeper {
    /// Names this process in its databases and in its connection.
    stamp: Arc<str>,
    jobs: mpsc::UnboundedSender<Job>,
}

#[derive(Debug)]
struct Job {
    database: String,
    done: wait::Sender<()>,
}

/// The keepers of this process by the URL of their server; the servers are held until the process ends.
static KEEPERS: Mutex<Vec<(String, Keeper, Server)>> = Mutex::new(Vec::new());

/// The keeper of a server, started at its first use.
pub(super) fn of(server: &Server) -> Result<Keeper> {
    let url = server.admin_url();
    let mut keepers = KEEPERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, keeper, _)) = keepers.iter().find(|(known, ..)| *known == url) {
        return Ok(keeper.clone());
    }
    let keeper = start(url.clone())?;
    keepers.push((url, keeper.clone(), server.clone()));
    Ok(keeper)
}

impl Keeper {
    /// A name that no other test has, and that tells the sweep whose it is and since when.
    pub(super) fn name(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        format!("{}{}_{:x}_{count:x}", sweep::PREFIX, self.stamp, now())
    }

    /// Drops a database in the background, or within a bounded time.
    pub(super) fn drop_database(&self, name: &str, wait: bool) {
        let (done, finished) = wait::channel();
        let sent = self.jobs.send(Job { database: name.to_owned(), done });
        if wait && sent.is_ok() {
            let _ = finished.recv_timeout(DROP_PATIENCE);
        }
    }
}

fn start(url: String) -> Result<Keeper> {
    let stamp: Arc<str> = uuid::Uuid::new_v4().simple().to_string()[..12].into();
    let (jobs, queue) = mpsc::unbounded_channel();
    let failed = |e: std::io::Error| Error::Development(format!("cannot start a thread that drops databases: {e}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let name = sweep::application_name(&stamp);
    let thread = std::thread::Builder::new().name("rillflow-test-databases".to_owned());
    thread.spawn(move || runtime.block_on(keep(url, name, queue))).map_err(failed)?;
    Ok(Keeper { stamp, jobs })
}

async fn keep(url: String, name: String, mut queue: mpsc::UnboundedReceiver<Job>) {
    let of = |database: &str| url::with_database(&url, database);
    let mut conn = connect(&url, &name).await.ok();
    if let Some(conn) = &mut conn {
        sweep::sweep(conn).await;
    }
    while let Some(Job { database, done }) = queue.recv().await {
        // Twice, since the server may have been started anew since the last time.
        for _ in 0..2 {
            if conn.is_none() {
                conn = connect(&url, &name).await.ok();
            }
            let Some(open) = &mut conn else { break };
            match drop_database(open, &of(&database), &database).await {
                Ok(()) => break,
                Err(error) => tracing::debug!(%error, database, "a test database was not dropped"),
            }
            conn = None;
        }
        let _ = done.send(());
    }
}

/// The connection by whose name others see that this process lives.
async fn connect(url: &str, name: &str) -> Result<PgConnection> {
    let mut conn = server::connect(url).await?;
    let set = sqlx::query("SELECT set_config('application_name', $1, false)").bind(name);
    set.execute(&mut conn).await.map_err(Error::Database)?;
    Ok(conn)
}

/// Drops a database with all that is connected to it, and with the transactions that were prepared in it.
pub(super) async fn drop_database(conn: &mut PgConnection, url: &str, name: &str) -> Result<()> {
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    let dropped = sqlx::query(AssertSqlSafe(&*drop)).execute(&mut *conn).await;
    let Err(error) = dropped else { return Ok(()) };
    let prepared = prepared_in(conn, name).await?;
    if prepared.is_empty() {
        return Err(Error::Database(error));
    }
    roll_back(url, &prepared).await?;
    sqlx::query(AssertSqlSafe(drop)).execute(conn).await.map_err(Error::Database)?;
    Ok(())
}

/// `DROP DATABASE` refuses to end them, also with `FORCE`.
async fn prepared_in(conn: &mut PgConnection, name: &str) -> Result<Vec<String>> {
    let of_database = sqlx::query_scalar("SELECT gid FROM pg_prepared_xacts WHERE database = $1").bind(name);
    of_database.fetch_all(conn).await.map_err(Error::Database)
}

/// A prepared transaction can be ended only from its own database.
async fn roll_back(url: &str, prepared: &[String]) -> Result<()> {
    let mut conn = server::connect(url).await?;
    for gid in prepared {
        let rollback = format!("ROLLBACK PREPARED '{}'", gid.replace('\'', "''"));
        sqlx::query(AssertSqlSafe(rollback)).execute(&mut conn).await.map_err(Error::Database)?;
    }
    conn.close().await.map_err(Error::Database)
}
