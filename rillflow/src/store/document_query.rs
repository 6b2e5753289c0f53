//! A query written where it is used, together with the store that runs it.

use super::QueryStream;
use super::queries::{explain, run};
use crate::model::Document;
use crate::model::query::{
    After, And, Condition, Definition, Everything, Find, First, Given, Included, Living, NumberedPage, NumberedPaged,
    One, Only, OrderBy, Page, Paged, Perhaps, Query, Scope, Selected, Selection, Unordered, Unranged, Value,
};
use crate::runtime::SharedCore;
use crate::{Error, Result};

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
    S = Living,
    const LIMIT: bool = false,
    const OFFSET: bool = false,
> where
    D: Document,
{
    pub(super) core: &'s SharedCore,
    pub(super) find: Find<D, C, O, S, LIMIT, OFFSET>,
}

impl<'s, D: Document> DocumentQuery<'s, D> {
    pub(super) fn new(core: &'s SharedCore) -> Self {
        Self { core, find: Find::new() }
    }
}

impl<'s, D, C, O, S, const LIMIT: bool, const OFFSET: bool> DocumentQuery<'s, D, C, O, S, LIMIT, OFFSET>
where
    D: Document,
    C: Condition<Root = D>,
    O: OrderBy<Root = D>,
    S: Scope,
{
    /// Only documents that fulfil the condition, and those before it.
    pub fn filter<F: Condition<Root = D>>(
        self,
        condition: impl FnOnce(D::Paths) -> F,
    ) -> DocumentQuery<'s, D, And<C, F>, O, S, LIMIT, OFFSET> {
        DocumentQuery { core: self.core, find: self.find.filter(condition) }
    }

    /// As [`filter`](Self::filter) when the value is there; otherwise the condition is left out.
    #[allow(clippy::type_complexity, reason = "the type is the query")]
    pub fn filter_if<V: Value + Clone, F: Condition<Root = D>>(
        self,
        value: Option<V>,
        condition: impl FnOnce(D::Paths, Perhaps<V>) -> F,
    ) -> DocumentQuery<'s, D, And<C, Given<V, F>>, O, S, LIMIT, OFFSET> {
        DocumentQuery { core: self.core, find: self.find.filter_if(value, condition) }
    }

    /// In this order, whatever order was asked for before.
    pub fn order_by<K: OrderBy<Root = D>>(
        self,
        order: impl FnOnce(D::Paths) -> K,
    ) -> DocumentQuery<'s, D, C, K, S, LIMIT, OFFSET> {
        DocumentQuery { core: self.core, find: self.find.order_by(order) }
    }

    /// At most so many documents.
    pub fn limit(self, limit: i64) -> DocumentQuery<'s, D, C, O, S, true, OFFSET> {
        DocumentQuery { core: self.core, find: self.find.limit(limit) }
    }

    /// Passes over so many documents first.
    pub fn offset(self, offset: i64) -> DocumentQuery<'s, D, C, O, S, LIMIT, true> {
        DocumentQuery { core: self.core, find: self.find.offset(offset) }
    }

    /// Soft-deleted documents too.
    pub fn include_deleted(self) -> DocumentQuery<'s, D, C, O, Included, LIMIT, OFFSET> {
        DocumentQuery { core: self.core, find: self.find.include_deleted() }
    }

    /// Soft-deleted documents alone.
    pub fn only_deleted(self) -> DocumentQuery<'s, D, C, O, Only, LIMIT, OFFSET> {
        DocumentQuery { core: self.core, find: self.find.only_deleted() }
    }

    /// Fields instead of documents.
    pub fn select<F: Selection<Root = D>>(
        self,
        selection: impl FnOnce(D::Paths) -> F,
    ) -> SelectQuery<'s, Selected<Find<D, C, O, S, LIMIT, OFFSET>, F>> {
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

    /// All documents found, as they arrive: as [`Store::query_stream`](crate::Store::query_stream).
    pub fn fetch(self) -> QueryStream<D>
    where
        D: Send,
        Find<D, C, O, S, LIMIT, OFFSET>: Query<Vec<D>> + 'static,
    {
        QueryStream::typed(self.core, self.find)
    }

    /// How PostgreSQL would find the documents: as [`Store::explain`](crate::Store::explain), which explains queries
    /// with other endings too.
    ///
    /// # Errors
    ///
    /// As [`Store::explain`](crate::Store::explain).
    pub async fn explain(self) -> Result<String> {
        explain(self.core, self.find).await
    }

    /// The document found, or `None`.
    ///
    /// # Errors
    ///
    /// [`Error::NotUnique`] when there is more than one; also as
    /// [`Store::query`](crate::Store::query).
    pub async fn fetch_optional(self) -> Result<Option<D>>
    where
        One<Find<D, C, O, S, LIMIT, OFFSET>>: Query<Option<D>>,
    {
        run(self.core, self.find.one()).await
    }

    /// The document found.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none; also as [`fetch_optional`](Self::fetch_optional).
    pub async fn fetch_one(self) -> Result<D>
    where
        One<Find<D, C, O, S, LIMIT, OFFSET>>: Query<Option<D>>,
    {
        self.fetch_optional().await?.ok_or(Error::NotFound { query: D::COLLECTION.name })
    }
}

impl<D, C, O, S> DocumentQuery<'_, D, C, O, S>
where
    D: Document,
    C: Condition<Root = D>,
    O: OrderBy<Root = D>,
    S: Scope,
    Find<D, C, O, S>: Definition<Row = D>,
{
    /// The first document in the order, or any one without an order.
    ///
    /// # Errors
    ///
    /// As [`Store::query`](crate::Store::query).
    pub async fn fetch_first(self) -> Result<Option<D>> {
        run(self.core, self.find.first()).await
    }

    /// At most `size` documents that come after the cursor, or the first ones without a cursor: as
    /// [`Find::page`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCursor`] when the cursor is of another query; also as
    /// [`Store::query`](crate::Store::query).
    pub async fn page(self, after: impl After, size: i64) -> Result<Page<D>> {
        run(self.core, self.find.page(after, size)).await
    }

    /// The page of this number, from 1, and how many documents there are in all: as [`Find::numbered_page`].
    ///
    /// # Errors
    ///
    /// As [`Store::query`](crate::Store::query).
    pub async fn numbered_page(self, number: i64, size: i64) -> Result<NumberedPage<D>> {
        run(self.core, self.find.numbered_page(number, size)).await
    }

    /// How many documents there are.
    ///
    /// # Errors
    ///
    /// As [`Store::query`](crate::Store::query).
    pub async fn count(self) -> Result<i64> {
        run(self.core, self.find.count()).await
    }

    /// Whether there is one.
    ///
    /// # Errors
    ///
    /// As [`Store::query`](crate::Store::query).
    pub async fn exists(self) -> Result<bool> {
        run(self.core, self.find.exists()).await
    }
}

/// A query for fields, on its way to the database.
#[derive(Debug)]
#[must_use = "nothing happens before `fetch_all` is awaited"]
pub struct SelectQuery<'s, Q> {
    pub(super) core: &'s SharedCore,
    pub(super) query: Q,
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

    /// All rows found, as they arrive: as [`Store::query_stream`](crate::Store::query_stream).
    pub fn fetch<Row: Send + 'static>(self) -> QueryStream<Row>
    where
        Q: Query<Vec<Row>> + 'static,
    {
        QueryStream::typed(self.core, self.query)
    }

    /// The row found, or `None`.
    ///
    /// # Errors
    ///
    /// [`Error::NotUnique`] when there is more than one; also as [`Store::query`](crate::Store::query).
    pub async fn fetch_optional<Row>(self) -> Result<Option<Row>>
    where
        One<Q>: Query<Option<Row>>,
    {
        run(self.core, One(self.query)).await
    }

    /// The row found.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none; also as [`fetch_optional`](Self::fetch_optional).
    pub async fn fetch_one<Row>(self) -> Result<Row>
    where
        One<Q>: Query<Option<Row>>,
    {
        let query = One(self.query);
        let name = query.name();
        run(self.core, query).await?.ok_or(Error::NotFound { query: name })
    }

    /// The first row in the order, or any one without an order.
    ///
    /// # Errors
    ///
    /// As [`Store::query`](crate::Store::query).
    pub async fn fetch_first<Row>(self) -> Result<Option<Row>>
    where
        Q: Unranged,
        First<Q>: Query<Option<Row>>,
    {
        run(self.core, First(self.query)).await
    }

    /// At most `size` rows that come after the cursor, or the first ones without a cursor: as [`Find::page`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCursor`] when the cursor is of another query; also as [`Store::query`](crate::Store::query).
    pub async fn page<Row>(self, after: impl After, size: i64) -> Result<Page<Row>>
    where
        Q: Unranged,
        Paged<Q>: Query<Page<Row>>,
    {
        run(self.core, Paged::new(self.query, after, size)).await
    }

    /// The page of this number, from 1, and how many rows there are in all: as [`Find::numbered_page`].
    ///
    /// # Errors
    ///
    /// As [`Store::query`](crate::Store::query).
    pub async fn numbered_page<Row>(self, number: i64, size: i64) -> Result<NumberedPage<Row>>
    where
        Q: Unranged,
        NumberedPaged<Q>: Query<NumberedPage<Row>>,
    {
        run(self.core, NumberedPaged::new(self.query, number, size)).await
    }

    /// How PostgreSQL would find the rows: as [`Store::explain`](crate::Store::explain).
    ///
    /// # Errors
    ///
    /// As [`Store::explain`](crate::Store::explain).
    pub async fn explain<Out>(self) -> Result<String>
    where
        Q: Query<Out>,
    {
        explain(self.core, self.query).await
    }
}
