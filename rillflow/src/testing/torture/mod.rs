//! Torture: writers, readers and bystanders do to a store all that they may, and then every event is counted.
//!
//! Nothing here believes the store: what was acknowledged is noted by the writers, what is stored is read by plain SQL,
//! and what readers saw, when, and in which order is noted by the readers. It shows whether a server, with its settings,
//! its pooler and its disks, keeps what rillflow promises. `rillflow torture` is the same on the command line.

mod bystanders;
mod count;
mod dice;
mod domain;
mod ledger;
mod readers;
mod report;
mod writers;

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::database::TestDatabase;
use super::server::{self, Server};
use crate::{Error, Lifecycle, Result, Store};
use count::Count;
use domain::{Tallies, Tally};
use ledger::{Deed, Stored};
pub use report::{Faults, Report};

/// How long readers and the projection may take to finish after the last writer.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the store keeps for itself, beside its writers and readers.
const STORES_OWN: u32 = 6;
/// Bystanders, and who watches the mark.
const BESIDE_WRITERS: u32 = 8;
/// Connections that are not pooled: one in the other database, one that drops both.
const ASIDE: u32 = 2;

/// What is to be done.
///
/// ```no_run
/// # async fn example() -> rillflow::Result<()> {
/// use std::time::Duration;
///
/// use rillflow::testing::torture::Torture;
///
/// let torture = Torture::new().duration(Duration::from_secs(5)).writers(8).readers(2).seed(42);
/// let report = torture.run_on("postgres://postgres@localhost/postgres").await?;
/// assert!(report.is_clean(), "{report}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until it is run"]
pub struct Torture {
    duration: Duration,
    writers: u16,
    readers: u16,
    batch_appends: bool,
    seed: u64,
}

impl Default for Torture {
    fn default() -> Self {
        Self { duration: Duration::from_secs(60), writers: 16, readers: 3, batch_appends: true, seed: 1 }
    }
}

impl Torture {
    /// 16 writers and 3 readers for a minute, with appends that share statements.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long the writers write. Readers and the projection may take two minutes more to finish.
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// How many write. Each needs two connections.
    pub fn writers(mut self, writers: u16) -> Self {
        self.writers = writers;
        self
    }

    /// How many read all events, beside a projection.
    pub fn readers(mut self, readers: u16) -> Self {
        self.readers = readers;
        self
    }

    /// Whether appends share statements, as they do by default.
    pub fn batch_appends(mut self, batch_appends: bool) -> Self {
        self.batch_appends = batch_appends;
        self
    }

    /// Where the dice begin that choose what each writer does; how the server interleaves them is not theirs.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs it where [`TestDatabase`] makes its databases, and counts.
    ///
    /// # Errors
    ///
    /// As [`run_on`](Self::run_on).
    pub async fn run(&self) -> Result<Report> {
        self.run_at(Server::of_this_run().await?).await
    }

    /// Runs it in two databases of its own on the server of a URL, drops them, and counts. Nothing else on that server is
    /// touched, but it is busy meanwhile. A future that is dropped drops the databases too, and waits for that.
    ///
    /// # Errors
    ///
    /// [`Error::Development`] without writers, when the server allows too few connections, or cannot be reached;
    /// [`Error::Database`] when it makes no database. What goes wrong under torture is in the report.
    pub async fn run_on(&self, server_url: &str) -> Result<Report> {
        self.run_at(Server::Given(server_url.to_owned())).await
    }

    async fn run_at(&self, server: Server) -> Result<Report> {
        self.check(&server).await?;
        let (database, elsewhere) =
            (TestDatabase::on(server.clone(), None).await?, TestDatabase::on(server, None).await?);
        let counted = self.run_in(database.url(), elsewhere.url()).await;
        // closed here, as their drop tells of no error
        let (closed, elsewhere_closed) = (database.close().await, elsewhere.close().await);
        let report = counted?;
        closed.and(elsewhere_closed)?;
        Ok(report)
    }

    fn stores_connections(&self) -> u32 {
        u32::from(self.writers) + u32::from(self.readers) + STORES_OWN
    }

    fn writers_connections(&self) -> u32 {
        u32::from(self.writers) + BESIDE_WRITERS
    }

    /// Refuses what cannot go well, before anything is made.
    async fn check(&self, server: &Server) -> Result<()> {
        if self.writers == 0 {
            return Err(Error::Development("a torture without writers finds nothing: ask for one at least".into()));
        }
        let room = "SELECT current_setting('max_connections')::bigint \
                    - current_setting('superuser_reserved_connections')::bigint";
        let mut conn = server::connect(&server.admin_url()).await?;
        let room: i64 = sqlx::query_scalar(room).fetch_one(&mut conn).await?;
        let needed = self.stores_connections() + self.writers_connections() + ASIDE;
        if i64::from(needed) <= room {
            return Ok(());
        }
        Err(Error::Development(format!(
            "{} writers and {} readers need {needed} connections, and the server allows {room}: take fewer writers, or \
             raise its max_connections",
            self.writers, self.readers
        )))
    }

    async fn run_in(&self, url: &str, elsewhere: &str) -> Result<Report> {
        let store = Store::builder(url)
            .max_connections(self.stores_connections())
            .batch_appends(self.batch_appends)
            .projection::<Tallies>(Lifecycle::Async)
            .build()
            .await?;
        store.schema().sync(&Default::default()).await?;
        let daemon = store.start_daemon().await?;
        // what is not the store's own has connections of its own, so that neither waits for the other
        let pool = PgPoolOptions::new().max_connections(self.writers_connections()).connect(url).await?;
        bystanders::prepare(&pool).await?;

        let (target, following) = watch::channel(None);
        let mut readers = JoinSet::new();
        for _ in 0..self.readers {
            readers.spawn(readers::follow(store.clone(), following.clone()));
        }
        let mut sampling = JoinSet::new();
        sampling.spawn(readers::sample_mark(pool.clone(), following));
        let deeds = self.write(&store, &pool, elsewhere).await?;

        let stored = Stored::read(&pool).await?;
        target.send_replace(Some(stored.last_position()));
        let mut count = Count::new(deeds, stored);
        while let Some(samples) = sampling.join_next().await {
            count.mark(samples.map_err(broken)?);
        }
        while let Some(reader) = readers.join_next().await {
            count.reader(reader.map_err(broken)?);
        }
        let caught_up = store.wait_for("torture-tallies", count.last_position(), PATIENCE).await;
        count.projection(caught_up, &store.docs().query::<Tally>().fetch_all().await?);
        daemon.shutdown().await;
        Ok(count.report())
    }

    async fn write(&self, store: &Store, pool: &PgPool, elsewhere: &str) -> Result<Vec<Deed>> {
        let (stop, stopped) = watch::channel(false);
        let mut bystanders = bystanders::start(pool, elsewhere, &stopped).await?;
        let mut writers = JoinSet::new();
        writers.spawn(bystanders::append_and_prepare(store.clone(), pool.clone(), self.duration / 5));
        let streams = Arc::new(writers::streams());
        for number in 0..usize::from(self.writers) {
            let writer = writers::Writer::new(store, pool, &streams, self.seed, number);
            writers.spawn(writer.run(stopped.clone()));
        }
        tokio::time::sleep(self.duration).await;
        stop.send_replace(true);
        let mut deeds = Vec::new();
        while let Some(done) = writers.join_next().await {
            deeds.extend(done.map_err(broken)?);
        }
        while let Some(ended) = bystanders.join_next().await {
            ended.map_err(broken)??;
        }
        Ok(deeds)
    }
}

fn broken(error: JoinError) -> Error {
    Error::Development(format!("a task of the torture broke: {error}"))
}
