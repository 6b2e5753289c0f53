//! Subscriptions: made, joined, looked at.

mod handle;
mod receiver;
mod relay;

use std::sync::Arc;

use futures_util::StreamExt;
use sqlx::PgPool;

pub use handle::SubscriptionHandle;
pub use receiver::{DecodedSubscription, SubscriptionReceiver};
pub use relay::Relay;

use super::EventStream;
use crate::model::{
    EventSet, GroupStatus, SubscriptionDeadLetter, SubscriptionFilter, SubscriptionInfo, SubscriptionOptions,
};
use crate::runtime::{Core, SharedCore, subscriber};
use crate::sql::{SchemaName, Texts};
use crate::storage::{marks, subscriptions};
use crate::{Error, Result};

/// The subscriptions of a store: events as they come, each delivered until it is acknowledged.
///
/// A subscription is durable by its name: it goes on after what was last acknowledged, in whichever process. Several may
/// share it as a group: each stream belongs to one member at a time, so its events keep their order. What a member holds
/// moves on only when nothing of it is in hand, or when nothing is heard of the member for
/// [`lease_ttl`](SubscriptionOptions::lease_ttl).
///
/// A subscription holds no connection while it waits, and all stores and tenants of a process share one connection
/// that listens.
///
/// ```no_run
/// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
/// use rillflow::subscriptions::{SubscriptionFilter, SubscriptionOptions};
///
/// let filter = SubscriptionFilter { event_types: Some(vec!["Ping".into()]), ..Default::default() };
/// let (handle, mut rx) = store.subscriptions().subscribe("s1", filter, SubscriptionOptions::default()).await?;
/// while let Some(event) = rx.recv().await {
///     println!("{} {} {}", event.stream_id, event.stream_seq, event.typ);
/// }
/// handle.shutdown().await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Subscriptions {
    core: SharedCore,
    /// A name that no schema can have, told by whatever is asked first.
    refused: Option<String>,
}

impl Subscriptions {
    /// The subscriptions in schema `public`, on the application's own pool.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self::new_with_schema(pool, "public")
    }

    /// The subscriptions in a schema, on the application's own pool. A name that no schema can have is an error of
    /// whatever is called first.
    #[must_use]
    pub fn new_with_schema(pool: PgPool, schema: &str) -> Self {
        let (schema, refused) = match SchemaName::new(schema) {
            Ok(schema) => (schema, None),
            Err(_) => (SchemaName::default(), Some(schema.to_owned())),
        };
        Self { core: Arc::new(Core::new(pool, Texts::new(schema), Vec::new())), refused }
    }

    pub(super) fn of(core: &SharedCore) -> Self {
        Self { core: core.clone(), refused: None }
    }

    fn core(&self) -> Result<&SharedCore> {
        if let Some(name) = &self.refused {
            SchemaName::new(name)?;
        }
        Ok(&self.core)
    }

    /// Makes a subscription, or gives it another filter. Where it begins is settled when it is made, and for each of its
    /// groups when that is first used.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn create_or_update(
        &self,
        name: &str,
        filter: &SubscriptionFilter,
        options: &SubscriptionOptions,
    ) -> Result<()> {
        subscriber::create(self.core()?, name, filter, options).await
    }

    /// Subscribes: makes what is missing, joins the group, and delivers events from then on until the handle is dropped
    /// or shut down.
    ///
    /// Goes on after what was last acknowledged under this name; the options say where it begins otherwise. The filter
    /// becomes that of the subscription. Who comes second without a group waits until the first is gone.
    ///
    /// Lost connections are healed: [`SubscriptionHandle::health`] says what keeps it from going on meanwhile.
    ///
    /// ```no_run
    /// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
    /// use rillflow::subscriptions::{SubscriptionFilter, SubscriptionOptions};
    ///
    /// let options = SubscriptionOptions::default().group("workers-a").manual();
    /// let filter = SubscriptionFilter::default().types(["order-placed"]);
    /// let (handle, mut rx) = store.subscriptions().subscribe("orders", filter, options).await?;
    /// while let Some(event) = rx.recv().await {
    ///     let mut tx = store.begin().await?;
    ///     // whatever the event causes, in `tx`
    ///     handle.ack_in_tx(&mut tx, event.global_seq).await?;
    ///     tx.commit().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn subscribe(
        &self,
        name: &str,
        filter: SubscriptionFilter,
        options: SubscriptionOptions,
    ) -> Result<(SubscriptionHandle, SubscriptionReceiver)> {
        let core = self.core()?;
        let (shared, task) = subscriber::subscribe(core, name, subscriber::Source::Events(filter), &options).await?;
        let receiver = SubscriptionReceiver::new(shared.clone(), options.ack_mode);
        Ok((SubscriptionHandle::new(core.clone(), shared, task), receiver))
    }

    /// Subscribes to a set of events: their names are the filter, and they arrive decoded.
    ///
    /// An event that does not decode is told as an error, and becomes a dead letter: requeue it once the program can read
    /// it.
    ///
    /// ```no_run
    /// # use rillflow::Event;
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # pub struct Placed { pub total: i64 }
    /// # #[derive(Event)]
    /// # pub enum OrderEvent { Placed(Placed) }
    /// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
    /// use rillflow::subscriptions::SubscriptionOptions;
    ///
    /// let options = SubscriptionOptions::from_now();
    /// let (handle, mut rx) = store.subscriptions().subscribe_to::<OrderEvent>("totals", options).await?;
    /// while let Some(received) = rx.recv().await {
    ///     let (OrderEvent::Placed(placed), _at) = received?;
    ///     println!("{}", placed.total);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub async fn subscribe_to<E: EventSet>(
        &self,
        name: &str,
        options: SubscriptionOptions,
    ) -> Result<(SubscriptionHandle, DecodedSubscription<E>)> {
        let (handle, receiver) = self.subscribe(name, SubscriptionFilter::of::<E>(), options).await?;
        Ok((handle, receiver.decode()))
    }

    /// Follows the log from a position on, for ever, without a place that is kept: nothing is written, nothing is
    /// acknowledged. An error is an item of the stream; asking on tries again.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) for a name that no schema can have.
    pub fn tail(&self, filter: SubscriptionFilter, after: i64) -> Result<EventStream> {
        Ok(EventStream::new(subscriber::tail(self.core()?, filter, after).boxed()))
    }

    /// Every subscription.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn list(&self) -> Result<Vec<SubscriptionInfo>> {
        let core = self.core()?;
        let mut conn = core.pool.acquire().await?;
        subscriptions::list(&mut conn, &core.texts, None).await
    }

    /// One subscription; `None` when there is none of this name.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn get(&self, name: &str) -> Result<Option<SubscriptionInfo>> {
        let core = self.core()?;
        let mut conn = core.pool.acquire().await?;
        Ok(subscriptions::list(&mut conn, &core.texts, Some(name)).await?.pop())
    }

    /// How far each group of a subscription is, and who belongs to it. Those who named none are the group `None`.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn groups(&self, name: &str) -> Result<Vec<GroupStatus>> {
        self.status(name, None).await
    }

    /// How far one group is, and who belongs to it; `""` is the group of those who named none. `None`: no such group.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn group_status(&self, name: &str, group: &str) -> Result<Option<GroupStatus>> {
        Ok(self.status(name, Some(group)).await?.pop())
    }

    async fn status(&self, name: &str, group: Option<&str>) -> Result<Vec<GroupStatus>> {
        let core = self.core()?;
        let mut conn = core.pool.acquire().await?;
        let mark = marks::safe_mark(&mut conn, &core.texts).await?.mark;
        subscriptions::status(&mut conn, &core.texts, name, group, mark).await
    }

    /// Stops the delivery to a group, or to all when none is named; `""` is the group of those who named none. Members
    /// keep what they have in hand and may acknowledge it.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSubscription`](crate::Error::UnknownSubscription) when there is no such group.
    pub async fn pause(&self, name: &str, group: Option<&str>) -> Result<()> {
        self.set_status(name, group, "paused").await
    }

    /// Lets a paused group go on, or all when none is named.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn resume(&self, name: &str, group: Option<&str>) -> Result<()> {
        self.set_status(name, group, "running").await
    }

    async fn set_status(&self, name: &str, group: Option<&str>, status: &str) -> Result<()> {
        let core = self.core()?;
        let mut conn = core.pool.acquire().await?;
        known(name, subscriptions::set_status(&mut conn, &core.texts, name, group, status).await? > 0)
    }

    /// Sends a group to a position, or all when none is named: it gets everything after it, again or not at all. What
    /// its members have in hand is no longer theirs, and what waits to be tried again is forgotten.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn reset(&self, name: &str, group: Option<&str>, position: i64) -> Result<()> {
        let core = self.core()?;
        let mut conn = core.pool.acquire().await?;
        known(name, subscriptions::reset(&mut conn, &core.texts, name, group, position).await? > 0)
    }

    /// Deletes a subscription with its groups, their places and their dead letters. Its members end. False: there was
    /// none.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn delete(&self, name: &str) -> Result<bool> {
        let core = self.core()?;
        let mut conn = core.pool.acquire().await?;
        subscriptions::delete(&mut conn, &core.texts, name).await
    }

    /// Dead letters of a group, or of all when none is named, in the order of their events.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn dead_letters(
        &self,
        name: &str,
        group: Option<&str>,
        limit: i64,
    ) -> Result<Vec<SubscriptionDeadLetter>> {
        let core = self.core()?;
        let mut conn = core.pool.acquire().await?;
        subscriptions::dead_letters(&mut conn, &core.texts, name, group, limit).await
    }

    /// Has dead letters tried anew, and says how many. Later events of their streams were delivered meanwhile.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn requeue(&self, name: &str, ids: &[i64]) -> Result<u64> {
        let core = self.core()?;
        let mut conn = core.pool.acquire().await?;
        subscriptions::requeue(&mut conn, &core.texts, name, ids).await
    }

    /// Deletes dead letters for good, and says how many.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn delete_dead_letters(&self, name: &str, ids: &[i64]) -> Result<u64> {
        let core = self.core()?;
        let mut conn = core.pool.acquire().await?;
        subscriptions::delete_dead_letters(&mut conn, &core.texts, name, ids).await
    }
}

fn known(name: &str, known: bool) -> Result<()> {
    if known { Ok(()) } else { Err(Error::UnknownSubscription { name: name.to_owned() }) }
}
