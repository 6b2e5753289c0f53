//! Queries that see what was appended before.

use std::time::Duration;

use super::Store;
use crate::Result;
use crate::model::query::{Queries, Query};
use crate::runtime::wait;

/// Queries of read models that are at a position or past it, so that a reader sees its own writes.
///
/// A query waits for the projections that are registered in this store and keep a collection it reads, also beside the
/// documents it is about; then it runs. An inline projection is never waited for. What an SQL projection writes is not
/// known here: [`Store::wait_for`] waits for one by its name.
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing happens before a query is awaited"]
pub struct AtLeast<'s> {
    store: &'s Store,
    position: i64,
    timeout: Duration,
}

impl AtLeast<'_> {
    /// How long a query waits for its projections, unless [`within`](Self::within) says otherwise: 5 seconds.
    pub const TIMEOUT: Duration = Duration::from_secs(5);

    /// Waits so long for the projections. The time of the query itself is not in it.
    pub fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// As [`Store::query`], once the read model is there. No connection is held until then.
    ///
    /// # Errors
    ///
    /// [`Error::WaitTimeout`](crate::Error::WaitTimeout) when a projection did not get there in time,
    /// [`Error::NotProjected`](crate::Error::NotProjected) when none that is registered here keeps what the query reads.
    /// Otherwise as [`Store::query`].
    pub async fn query<Out>(self, query: impl Query<Out>) -> Result<Out> {
        self.wait(query.name(), &[query.sql()]).await?;
        self.store.query(query).await
    }

    /// As [`Store::query_all`], once the read models of all of them are there.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query); it is enough when one of them reads what a projection keeps.
    pub async fn query_all<Outs>(self, queries: impl Queries<Outs>) -> Result<Outs> {
        let texts: Vec<_> = queries.statements()?.into_iter().map(|(text, _)| text).collect();
        self.wait("several", &texts).await?;
        self.store.query_all(queries).await
    }

    async fn wait(&self, query: &str, texts: &[&str]) -> Result<()> {
        wait::wait_for_read(&self.store.core, query, texts, self.position, self.timeout).await
    }
}

impl Store {
    /// Queries that see every event up to `position`, such as one's own: they wait for the read models they are about.
    ///
    /// The position comes from [`Appended::position`](crate::Appended::position), and may come from another process.
    ///
    /// ```no_run
    /// # use rillflow::{Document, Event, Expected, Query, Store, compiled_query};
    /// # #[derive(serde::Serialize, serde::Deserialize, Document)]
    /// # struct CustomerSales { #[document(id)] id: i64, #[document(index)] total: i64 }
    /// #[compiled_query]
    /// fn best(limit: i64) -> impl Query<Vec<CustomerSales>> {
    ///     CustomerSales::query().order_by(|c| c.total.desc()).limit(limit)
    /// }
    ///
    /// # async fn example(store: Store, order: uuid::Uuid, placed: Event) -> rillflow::Result<()> {
    /// let appended = store.events().append_stream(order, Expected::Any, [placed]).await?;
    /// let sales = store.at_least(appended.position()).query(best(10)).await?; // the order is in it
    /// # Ok(())
    /// # }
    /// ```
    pub fn at_least(&self, position: i64) -> AtLeast<'_> {
        AtLeast { store: self, position, timeout: AtLeast::TIMEOUT }
    }
}
