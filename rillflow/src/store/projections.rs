//! Projections from outside: how far they are, pausing and moving them, running them by hand, their dead letters.

use crate::model::Registered;
use crate::runtime::SharedCore;
use crate::runtime::daemon::DaemonConfig;
use crate::runtime::dead_letters::{self, Requeued, Retry};
use crate::runtime::inline;
use crate::runtime::rebuild::{self, RebuildProgress};
use crate::runtime::shards;
use crate::runtime::status;
use crate::runtime::ticks::{self, TickResult, Until};
use crate::sql::beside::Beside;
use crate::storage::letters::{self, DeadLetter, Letters};
use crate::storage::projections::{self, ProjectionMetrics, ProjectionStatus};
use crate::{Error, Result};

/// The projections of a store, for those who look after them.
///
/// What only looks, pauses or moves them works for every projection that has a row in the database. What runs a
/// projection's own code needs it registered here.
///
/// ```no_run
/// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
/// for projection in store.projections().list().await? {
///     let metrics = store.projections().metrics(&projection.name).await?;
///     println!("{} at {}, {} behind", projection.name, projection.position, metrics.lag_events);
/// }
/// store.projections().run_until_idle(None).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Projections {
    core: SharedCore,
    config: DaemonConfig,
}

impl Projections {
    pub(super) fn new(core: SharedCore, config: DaemonConfig) -> Self {
        Self { core, config }
    }

    /// Runs with these settings: batch size, lease, retries.
    #[must_use]
    pub fn with_config(mut self, config: DaemonConfig) -> Self {
        self.config = config;
        self
    }

    /// All projections, by name, inline ones too.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] when the schema was not synced.
    pub async fn list(&self) -> Result<Vec<ProjectionStatus>> {
        status::all(&self.core).await
    }

    /// How far a projection is, and who runs it.
    ///
    /// An inline one has the status `inline`, no owner, and is where the log is settled. Its `error` says when its read
    /// model is of another version than the code here, so that appends are refused: see [`build_inline`](Self::build_inline).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProjection`] when nobody ever ran one of this name.
    pub async fn status(&self, name: &str) -> Result<ProjectionStatus> {
        status::one(&self.core, name).await
    }

    /// What a projection has done, and what it has still to do.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    pub async fn metrics(&self, name: &str) -> Result<ProjectionMetrics> {
        status::metrics(&self.core, name).await
    }

    /// Pauses a projection: once this returns, nothing more is written by it, in whatever process it runs.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    pub async fn pause(&self, name: &str) -> Result<()> {
        self.set_running(name, false).await
    }

    /// Lets a paused projection run again. Whoever runs the daemon takes it up within a third of the lease.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    pub async fn resume(&self, name: &str) -> Result<()> {
        self.set_running(name, true).await
    }

    async fn set_running(&self, name: &str, running: bool) -> Result<()> {
        let mut conn = self.core.pool.acquire().await?;
        let found = projections::set_running(&mut conn, &self.core.texts, name, running).await?;
        found.then_some(()).ok_or_else(|| unknown(name))
    }

    /// Sets the checkpoint of a projection, and nothing else: the next event it handles is the first after `position`.
    ///
    /// The read model stays as it is, so events are folded twice or passed over, as the caller wants. To build a read
    /// model anew, rebuild it. Whoever runs the projection begins at the new place.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    pub async fn reset_checkpoint(&self, name: &str, position: i64) -> Result<()> {
        let mut conn = self.core.pool.acquire().await?;
        let found = projections::reset_checkpoint(&mut conn, &self.core.texts, name, position.max(0)).await?;
        found.then_some(()).ok_or_else(|| unknown(name))
    }

    /// Runs one batch of one projection, or of each in turn.
    ///
    /// Takes the projection for as long as it works, and gives it back. An event that fails is tried as often as the
    /// settings say. Dropping the future leaves the projection to nobody until its lease has run out.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProjection`] when it is not registered here, or runs inline, [`Error::Projection`] when it stops at
    /// an event, [`Error::HistoryDiverged`] when its checkpoint is of another history. With `None` the first error comes back
    /// after all had their turn.
    pub async fn run_once(&self, name: impl Into<Option<&str>>) -> Result<Vec<(String, TickResult)>> {
        self.run(name.into(), Until::Once).await
    }

    /// Runs one projection, or each in turn, until every event that is settled by now is handled.
    ///
    /// # Errors
    ///
    /// As [`run_once`](Self::run_once).
    pub async fn run_until_idle(&self, name: impl Into<Option<&str>>) -> Result<Vec<(String, TickResult)>> {
        self.run(name.into(), Until::Idle).await
    }

    async fn run(&self, name: Option<&str>, until: Until) -> Result<Vec<(String, TickResult)>> {
        let chosen: Vec<&Registered> = match name {
            Some(name) => vec![self.core.behind().find(|it| &*it.name == name).ok_or_else(|| unknown(name))?],
            None => self.core.behind().collect(),
        };
        let (mut results, mut first_error) = (Vec::new(), None);
        for registered in chosen {
            match ticks::run(&self.core, registered, self.config, until).await {
                Ok(result) => results.push((registered.name.to_string(), result)),
                Err(error) => {
                    tracing::warn!(projection = &*registered.name, %error, "a projection failed");
                    first_error.get_or_insert(error);
                }
            }
        }
        first_error.map_or(Ok(results), Err)
    }

    /// Splits a projection by stream into so many shards, each with an owner, a checkpoint and a lease of its own; 1 makes
    /// it whole again. Events of one stream keep their order. How many there are is kept with the projection, for all
    /// processes; what its attribute says counts for a new one, and for a new version.
    ///
    /// Stops whoever runs it, brings the shards that are behind to where the furthest one is, and splits it there, so that
    /// no event is handled twice or passed over. Daemons take the new shards within a third of their lease. Programs that
    /// were built before there were shards must not run this projection any more. Dropping the future leaves it as it
    /// was split before, and to nobody until the lease has run out.
    ///
    /// ```no_run
    /// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
    /// store.projections().split("order-summaries", 4).await?;
    /// assert_eq!(store.projections().status("order-summaries").await?.shards.len(), 4);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::CannotSplit`] when its documents are not those of one stream each, when it is paused and its shards are
    /// at different positions, or when other processes keep taking it; [`Error::UnknownProjection`] when it is not
    /// registered here, or runs inline; [`Error::Projection`] when a shard stops at an event on its way.
    pub async fn split(&self, name: &str, shards: i32) -> Result<()> {
        let registered = self.core.behind().find(|it| &*it.name == name).ok_or_else(|| unknown(name))?;
        shards::split(&self.core, registered, self.config, shards).await
    }

    /// Builds a read model anew: beside the live one, which is read and followed meanwhile, and then in its place.
    ///
    /// The tables, their indexes and the checkpoint change in one transaction, so no reader sees a half-built model; the
    /// swap waits for those that read at that moment, at most a second at a time. Grants go with it; a view on the table
    /// is refused, as it would go on reading the old one. What is replaced is kept until
    /// [`drop_old`](Self::drop_old), for [`roll_back`](Self::roll_back).
    ///
    /// Dropping the future stops the rebuild where it is; the next one goes on from there.
    /// [`cancel_rebuild`](Self::cancel_rebuild) gives it up. The daemon does the same by itself for a projection whose
    /// version is newer than what is stored.
    ///
    /// Documents that are told apart by stream (`key = stream`) may be built by several readers at once:
    /// `rebuild_readers` in the settings.
    ///
    /// An inline projection has no checkpoint. While its new model is swapped in, appends that change it wait, and so do
    /// its readers: for as long as it takes to fold what was committed in the last moment. No append is lost: each has
    /// committed before, and is folded, or waits, and writes to the new model. What is replaced is dropped at once, as
    /// nothing would bring it up to date.
    ///
    /// An SQL projection, whose tables are the application's, is emptied by its `reset` and begins anew in its place.
    ///
    /// ```no_run
    /// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
    /// store.projections().rebuild("customer-sales", |it| println!("{} of {}", it.position, it.target)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProjection`] when it is not registered here; [`Error::RebuildLost`] when another
    /// process rebuilds it, or when it was cancelled; [`Error::Projection`] when an event fails that the projection does
    /// not set aside. The live model is as it was then.
    pub async fn rebuild(&self, name: &str, mut progress: impl FnMut(RebuildProgress) + Send) -> Result<()> {
        let registered = self.core.registered(name)?;
        rebuild::rebuild(&self.core, registered, self.config, &mut progress).await.map(drop)
    }

    /// Builds anew the read models of inline projections that are of an older version than this program's code, and returns
    /// their names. What another process builds is waited for.
    ///
    /// For a start that takes no traffic before it can append: a daemon does the same by itself, beside everything else.
    /// Meanwhile processes of the old version append and write the old read model. Once the new one is in its place, appends
    /// of theirs that would change it are refused with [`Error::ReadModelVersion`], as those of this program are until then.
    ///
    /// ```no_run
    /// # use rillflow::{SchemaConfig, Store};
    /// # async fn example(store: Store) -> rillflow::Result<()> {
    /// store.schema().sync(&SchemaConfig::single_tenant()).await?;
    /// store.projections().build_inline().await?;
    /// // ready for traffic
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::ReadModelVersion`] when a newer program has built one, so that this one cannot write it, and as
    /// [`rebuild`](Self::rebuild).
    pub async fn build_inline(&self) -> Result<Vec<String>> {
        inline::build(&self.core, self.config).await
    }

    /// Gives up a rebuild that is under way or was broken off, here or elsewhere. `false`: there was none.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProjection`] when it is not registered here.
    pub async fn cancel_rebuild(&self, name: &str) -> Result<bool> {
        rebuild::give_up(&self.core, self.core.registered(name)?, Beside::Rebuild).await
    }

    /// Puts the read model that the last rebuild replaced back in its place, with its version and checkpoint: for
    /// programs of that version, which go on from there. The other one is kept in turn. `false`: none is kept.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProjection`] when it is not registered here, [`Error::Contention`] when readers did not let it in.
    pub async fn roll_back(&self, name: &str) -> Result<bool> {
        rebuild::roll_back(&self.core, self.core.registered(name)?, self.config).await
    }

    /// Drops the read model that the last rebuild replaced. `false`: none is kept.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProjection`] when it is not registered here.
    pub async fn drop_old(&self, name: &str) -> Result<bool> {
        rebuild::give_up(&self.core, self.core.registered(name)?, Beside::Old).await
    }

    /// The events that a projection set aside, in their order: those it failed on, and those that wait behind them.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] when the schema was not synced.
    pub async fn dlq_list(&self, name: &str, limit: u32) -> Result<Vec<DeadLetter>> {
        let mut conn = self.core.pool.acquire().await?;
        letters::list(&mut conn, &self.core.texts, name, 0, limit.into()).await
    }

    /// Tries a dead letter again. Of a projection that parks, the first letter of its key is tried, and then those that
    /// wait behind it in their order, up to the first that fails.
    ///
    /// Of a projection that skips it is this event alone, **later than those that came after it**: they are in the document
    /// already. A sum comes to the same; a field that each event sets gets the older event's value back. Where that
    /// matters, let the projection park, or [`rebuild`](Self::rebuild) it once its handler is mended.
    ///
    /// What succeeded stays, in one transaction. Waits for the batch that the projection's owner has in hand; the owner
    /// goes on afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProjection`] when it is not registered here, [`Error::UnknownDeadLetter`]. A letter that fails
    /// again is no error here but part of the result.
    pub async fn dlq_requeue(&self, name: &str, id: i64) -> Result<Requeued> {
        self.retry(name, Letters::One(id), Retry::Requeue).await
    }

    /// Tries all dead letters of a key in their order, up to the first that fails. What a letter's keys are, it says itself:
    /// the ids of documents as text, or of an SQL projection the stream's.
    ///
    /// Of a projection that skips, events that came between them are in the document already, as with
    /// [`dlq_requeue`](Self::dlq_requeue). A key without dead letters is no error: nothing is applied.
    ///
    /// ```no_run
    /// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
    /// let customer = "018f2a5e-0000-7000-8000-000000000001";
    /// let done = store.projections().dlq_requeue_key("customer-sales", customer).await?;
    /// println!("{} applied, {} still waiting", done.applied, done.waiting);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProjection`] when it is not registered here. A letter that fails again is part of the result.
    pub async fn dlq_requeue_key(&self, name: &str, key: &str) -> Result<Requeued> {
        self.retry(name, Letters::OfKey(key), Retry::Requeue).await
    }

    /// What [`dlq_requeue`](Self::dlq_requeue) would come to. Nothing of it stays.
    ///
    /// # Errors
    ///
    /// As [`dlq_requeue`](Self::dlq_requeue).
    pub async fn dlq_dry_run(&self, name: &str, id: i64) -> Result<Requeued> {
        self.retry(name, Letters::One(id), Retry::DryRun).await
    }

    /// Gives an event up for good. Those that only waited behind it are tried in their order, if the projection parks.
    ///
    /// # Errors
    ///
    /// As [`dlq_requeue`](Self::dlq_requeue).
    pub async fn dlq_delete(&self, name: &str, id: i64) -> Result<Requeued> {
        self.retry(name, Letters::One(id), Retry::Delete).await
    }

    async fn retry(&self, name: &str, letters: Letters<'_>, retry: Retry) -> Result<Requeued> {
        dead_letters::retry(&self.core, self.core.registered(name)?, self.config, letters, retry).await
    }
}

fn unknown(name: &str) -> Error {
    Error::UnknownProjection { name: name.to_owned() }
}
