//! Torture: writers, readers and bystanders do to a store all that they may, and then every event is counted.
//!
//! Nothing here believes the store: what was acknowledged is noted by the writers, what is stored is read by plain SQL,
//! and what readers saw, when, and in which order is noted by the readers.

mod bystanders;
mod dice;
mod domain;
mod ledger;
mod readers;
mod report;
mod writers;

use std::sync::Arc;
use std::time::Duration;

use rillflow::{Lifecycle, Store};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Failure;
use domain::{Tallies, Tally};
use ledger::{Deed, Stored};
pub use report::Report;

/// How long readers and the projection may take to finish after the last writer.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is to be done, and where.
#[derive(Clone, Debug)]
pub struct Torture {
    /// The database, which must be empty.
    pub url: String,
    /// A database of the same server, to hold a write transaction open in.
    pub elsewhere: Option<String>,
    /// How long the writers write.
    pub duration: Duration,
    /// How many write.
    pub writers: usize,
    /// How many read.
    pub readers: usize,
    /// Whether appends share statements, as they do by default.
    pub batch_appends: bool,
    /// Where the dice begin.
    pub seed: u64,
}

impl Torture {
    /// Runs it, and counts.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or made ready. What goes wrong later is in the report.
    pub async fn run(&self) -> Result<Report, Failure> {
        let store = Store::builder(&self.url)
            .max_connections(self.writers as u32 + self.readers as u32 + 6)
            .batch_appends(self.batch_appends)
            .projection::<Tallies>(Lifecycle::Async)
            .build()
            .await?;
        store.schema().sync(&Default::default()).await?;
        let daemon = store.start_daemon().await?;
        // what is not the store's own has connections of its own, so that neither waits for the other
        let pool = PgPoolOptions::new().max_connections(self.writers as u32 + 8).connect(&self.url).await?;
        bystanders::prepare(&pool).await?;

        let (target, following) = watch::channel(None);
        let mut readers = JoinSet::new();
        for _ in 0..self.readers {
            readers.spawn(readers::follow(store.clone(), following.clone()));
        }
        let sampling = tokio::spawn(readers::sample_mark(pool.clone(), following));
        let deeds = self.write(&store, &pool).await?;

        let stored = Stored::read(&pool).await?;
        target.send_replace(Some(stored.last_position()));
        let mut report = Report::new(deeds, stored);
        report.mark(sampling.await?);
        while let Some(reader) = readers.join_next().await {
            report.reader(reader?);
        }
        let caught_up = store.wait_for("torture-tallies", report.last_position(), PATIENCE).await;
        report.projection(caught_up, &store.docs().query::<Tally>().fetch_all().await?);
        daemon.shutdown().await;
        Ok(report)
    }

    async fn write(&self, store: &Store, pool: &PgPool) -> Result<Vec<Deed>, Failure> {
        let (stop, stopped) = watch::channel(false);
        let mut bystanders = bystanders::start(pool, self.elsewhere.as_deref(), &stopped).await?;
        let mut writers = JoinSet::new();
        writers.spawn(bystanders::append_and_prepare(store.clone(), pool.clone(), self.duration / 5));
        let streams = Arc::new(writers::streams());
        for number in 0..self.writers {
            let writer = writers::Writer::new(store, pool, &streams, self.seed, number);
            writers.spawn(writer.run(stopped.clone()));
        }
        tokio::time::sleep(self.duration).await;
        stop.send_replace(true);
        let mut deeds = Vec::new();
        while let Some(done) = writers.join_next().await {
            deeds.extend(done?);
        }
        while let Some(ended) = bystanders.join_next().await {
            ended??;
        }
        Ok(deeds)
    }
}
