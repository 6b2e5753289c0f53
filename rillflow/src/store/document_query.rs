//! A query written where it is used, together with the store that runs it.

use crate::Result;
use crate::model::Document;
use crate::model::query::{
    Condition, Counted, Everything, Exists, Find, One, OrderBy, Query, Selected, Selection, Unordered,
};
use crate::runtime::SharedCore;
use crate::storage::queries;

/// A query over one collection, on its way to the database.
///
/// The same paths and types as in a `#[compiled_query]`, without the check that an index serves it. Combine conditions
/// with `&`, `|` and `!`.
///
/// ```no_run
/// # use rillflow::{Document, Store};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize, Document)]
/// # struct Note { #[document(id)] id: i64, title: String, stars: i64 }
/// # async fn example(store: Store) -> rillflow::Result<()> {
/// let notes = store.docs().query::<Note>().filter(|n| n.title.eq("milk") | n.stars.gt(3)).limit(20).fetch_all().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing happens before one of the `fetch` methods, `count` or `exists` is awaited"]
pub struct DocumentQuery<
    's,
    D,
    C = Everything<D>,
    O = Unordered<D>,
    const LIMIT: bool = false,
    const OFFSET: bool = false,
> where
    D: Document,
{
    core: &'s SharedCore,
    find: Find<D, C, O, LIMIT, OFFSET>,
}

impl<'s, D: Document> DocumentQuery<'s, D> {
    pub(super) fn new(core: &'s SharedCore) -> Self {
        Self { core, find: Find::new() }
    }
}

impl<'s, D, C, O, const LIMIT: bool, const OFFSET: bool> DocumentQuery<'s, D, C, O, LIMIT, OFFSET>
where
    D: Document,
    C: Condition<Root = D>,
    O: OrderBy<Root = D>,
{
    /// Only documents that fulfil the condition, and those before it.
    pub fn filter<F: Condition<Root = D>>(
        self,
        condition: impl FnOnce(D::Paths) -> F,
    ) -> DocumentQuery<'s, D, crate::model::query::And<C, F>, O, LIMIT, OFFSET> {
        DocumentQuery { core: self.core, find: self.find.filter(condition) }
    }

    /// In this order, whatever order was asked for before.
    pub fn order_by<K: OrderBy<Root = D>>(
        self,
        order: impl FnOnce(D::Paths) -> K,
    ) -> DocumentQuery<'s, D, C, K, LIMIT, OFFSET> {
        DocumentQuery { core: self.core, find: self.find.order_by(order) }
    }

    /// At most so many documents.
    pub fn limit(self, limit: i64) -> DocumentQuery<'s, D, C, O, true, OFFSET> {
        DocumentQuery { core: self.core, find: self.find.limit(limit) }
    }

    /// Passes over so many documents first.
    pub fn offset(self, offset: i64) -> DocumentQuery<'s, D, C, O, LIMIT, true> {
        DocumentQuery { core: self.core, find: self.find.offset(offset) }
    }

    /// Fields instead of documents.
    pub fn select<S: Selection<Root = D>>(
        self,
        selection: impl FnOnce(D::Paths) -> S,
    ) -> SelectQuery<'s, Selected<Find<D, C, O, LIMIT, OFFSET>, S>> {
        SelectQuery { core: self.core, query: self.find.select(selection) }
    }

    /// All documents found.
    ///
    /// # Errors
    ///
    /// As [`Store::query`](crate::Store::query).
    pub async fn fetch_all(self) -> Result<Vec<D>> {
        run(self.core, self.find).await
    }

    /// The document found, or `None`.
    ///
    /// # Errors
    ///
    /// [`Error::NotUnique`](crate::Error::NotUnique) when there is more than one; also as
    /// [`Store::query`](crate::Store::query).
    pub async fn fetch_optional(self) -> Result<Option<D>>
    where
        One<Find<D, C, O, LIMIT, OFFSET>>: Query<Option<D>>,
    {
        run(self.core, self.find.one()).await
    }
}

impl<D, C, O> DocumentQuery<'_, D, C, O>
where
    D: Document,
    C: Condition<Root = D>,
    O: OrderBy<Root = D>,
{
    /// How many documents there are.
    ///
    /// # Errors
    ///
    /// As [`Store::query`](crate::Store::query).
    pub async fn count(self) -> Result<i64>
    where
        Counted<Find<D, C, O>>: Query<i64>,
    {
        run(self.core, self.find.count()).await
    }

    /// Whether there is one.
    ///
    /// # Errors
    ///
    /// As [`Store::query`](crate::Store::query).
    pub async fn exists(self) -> Result<bool>
    where
        Exists<Find<D, C, O>>: Query<bool>,
    {
        run(self.core, self.find.exists()).await
    }
}

/// A query for fields, on its way to the database.
#[derive(Debug)]
#[must_use = "nothing happens before `fetch_all` is awaited"]
pub struct SelectQuery<'s, Q> {
    core: &'s SharedCore,
    query: Q,
}

impl<Q> SelectQuery<'_, Q> {
    /// All rows found.
    ///
    /// # Errors
    ///
    /// As [`Store::query`](crate::Store::query).
    pub async fn fetch_all<Row>(self) -> Result<Vec<Row>>
    where
        Q: Query<Vec<Row>>,
    {
        run(self.core, self.query).await
    }
}

async fn run<Out>(core: &SharedCore, query: impl Query<Out>) -> Result<Out> {
    let mut conn = core.pool.acquire().await?;
    queries::run(&mut conn, &core.texts, &query).await
}
