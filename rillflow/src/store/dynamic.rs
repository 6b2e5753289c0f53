//! Queries put together while the program runs, together with the store that runs them.

use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::docs::decode;
use super::{Docs, QueryStream};
use crate::model::{CompiledQuery, Document, DocumentQueryContext, Fields, Predicate, SortDirection};
use crate::observe::operation;
use crate::runtime::SharedCore;
use crate::storage::{dynamic, rows};
use crate::{Error, Result};

/// A dynamic query on its way to the database: its results are read as `R`.
///
/// ```no_run
/// # use rillflow::{Store, query::{Predicate, SortDirection}};
/// # #[derive(serde::Deserialize)]
/// # struct Customer { email: String }
/// # async fn example(store: Store) -> rillflow::Result<()> {
/// let page: Vec<Customer> = store
///     .docs()
///     .schemaless()
///     .query::<Customer>()
///     .filter(Predicate::eq("status", "active"))
///     .order_by("email", SortDirection::Asc)
///     .page(1, 25)
///     .fetch_all()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing happens before one of the `fetch` methods or `count` is awaited"]
pub struct DynamicQuery<'s, R> {
    core: &'s SharedCore,
    ctx: DocumentQueryContext,
    result: PhantomData<fn() -> R>,
}

impl<'s> Docs<'s> {
    /// Begins a dynamic query over a typed collection: paths and values are only known while the program runs.
    ///
    /// Its declared indexes serve it. For what is known before, [`query`](Self::query) finds mistakes earlier.
    pub fn dynamic<D: Document>(&self) -> DynamicQuery<'s, D> {
        DynamicQuery::new(self.core, DocumentQueryContext::new(D::COLLECTION.table, D::INDEXES))
    }

    /// Begins a dynamic query over a collection of which only the name is known, as tools do. Of its indexes only `gin`
    /// serves it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidQuery`] for what cannot be the name of a collection; one that does not exist is
    /// [`Error::Schema`] when the query is sent.
    pub fn collection(&self, name: &str) -> Result<DynamicQuery<'s, serde_json::Value>> {
        let plain = name.bytes().all(|it| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if !plain || name.is_empty() || name.len() > 58 {
            let problem = format!("`{}` cannot be the name of a collection", name.escape_debug());
            return Err(Error::InvalidQuery { problem });
        }
        Ok(DynamicQuery::new(self.core, DocumentQueryContext::new(format!("public.docs_{name}"), &[])))
    }

    /// Runs a query that was written as an object, and returns all that it finds.
    ///
    /// # Errors
    ///
    /// As [`DynamicQuery::fetch_all`].
    pub async fn execute_compiled<R: DeserializeOwned, Q: CompiledQuery<R>>(&self, query: Q) -> Result<Vec<R>> {
        self.compiled(query).fetch_all().await
    }

    /// A query that was written as an object, for another ending than all that it finds, or to add to it.
    pub fn compiled<R, Q: CompiledQuery<R>>(&self, query: Q) -> DynamicQuery<'s, R> {
        let mut ctx = DocumentQueryContext::schemaless();
        query.configure(&mut ctx);
        DynamicQuery::new(self.core, ctx)
    }
}

/// Steps that a context has too.
macro_rules! steps {
    ($($(#[$doc:meta])* $method:ident($($argument:ident: $type:ty),*);)*) => { $(
        $(#[$doc])*
        pub fn $method(mut self, $($argument: $type),*) -> Self {
            self.ctx.$method($($argument),*);
            self
        }
    )* };
}

impl<'s, R> DynamicQuery<'s, R> {
    pub(super) fn new(core: &'s SharedCore, ctx: DocumentQueryContext) -> Self {
        Self { core, ctx, result: PhantomData }
    }

    steps! {
        /// Only documents that fulfil the predicate, and those before it.
        filter(predicate: Predicate);
        /// As [`filter`](Self::filter), if `condition` holds.
        filter_if(condition: bool, predicate: Predicate);
        /// In this order, after the orders before it. Numbers are ordered as numbers.
        order_by(path: impl Into<String>, direction: SortDirection);
        /// At most so many rows.
        limit(limit: i64);
        /// Passes over so many rows first.
        offset(offset: i64);
        /// The page `number`, counted from 1, of `size` rows each.
        page(number: u32, size: u32);
        /// Soft-deleted documents too.
        include_deleted();
        /// Soft-deleted documents only.
        only_deleted();
    }

    /// Objects of some fields instead of documents: `(name in the result, path)`. What is missing is null.
    pub fn select_fields<S>(mut self, fields: &[(&str, &str)]) -> DynamicQuery<'s, S> {
        self.ctx.select_fields(fields);
        DynamicQuery::new(self.core, self.ctx)
    }

    /// One value instead of each document. What is missing is null.
    pub fn select_field<S>(mut self, path: impl Into<String>) -> DynamicQuery<'s, S> {
        self.ctx.select_field(path);
        DynamicQuery::new(self.core, self.ctx)
    }

    fn at_most(self, rows: i64) -> Self {
        let limit = self.ctx.limit.map_or(rows, |it| it.min(rows));
        self.limit(limit)
    }

    /// How many documents there are, whatever the limit.
    ///
    /// # Errors
    ///
    /// As [`fetch_all`](Self::fetch_all).
    pub async fn count(mut self) -> Result<i64> {
        self.ctx.output = Fields::Count;
        let work = async {
            let mut conn = self.core.pool.acquire().await?;
            dynamic::count(&mut conn, &self.core.texts, &self.ctx).await
        };
        operation!(self.core, "query", self.ctx.name()).run(work).await
    }

    /// How PostgreSQL would run the query with its arguments: the lines of `EXPLAIN`. The query does not run.
    ///
    /// # Errors
    ///
    /// As [`fetch_all`](Self::fetch_all).
    pub async fn explain(self) -> Result<String> {
        let statement = dynamic::statement(&self.core.texts, &self.ctx)?;
        let mut conn = self.core.pool.acquire().await?;
        rows::explain(&mut conn, statement).await
    }
}

impl<R: DeserializeOwned> DynamicQuery<'_, R> {
    /// All that is found.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidQuery`] for a path or a comparison that cannot be, [`Error::Payload`] for a value that no
    /// document can hold, [`Error::Decode`] when what is found is no `R`.
    pub async fn fetch_all(self) -> Result<Vec<R>> {
        let work = async {
            let mut conn = self.core.pool.acquire().await?;
            let read = |json: &[u8]| decode(json, || self.ctx.table.clone());
            dynamic::fetch(&mut conn, &self.core.texts, &self.ctx, read).await
        };
        operation!(self.core, "query", self.ctx.name()).run(work).await
    }

    /// All that is found, as it arrives: as [`Store::query_stream`](crate::Store::query_stream).
    pub fn fetch(self) -> QueryStream<R>
    where
        R: Send + 'static,
    {
        let statement = dynamic::statement(&self.core.texts, &self.ctx);
        let name = self.ctx.name().to_owned();
        QueryStream::new(self.core, &name, statement, dynamic::Parsed::new(self.ctx.table))
    }

    /// The first that is found.
    ///
    /// # Errors
    ///
    /// As [`fetch_all`](Self::fetch_all).
    pub async fn fetch_first(self) -> Result<Option<R>> {
        Ok(self.at_most(1).fetch_all().await?.pop())
    }

    /// The one that is found, or `None`.
    ///
    /// # Errors
    ///
    /// [`Error::NotUnique`] when there is more than one; also as [`fetch_all`](Self::fetch_all).
    pub async fn fetch_optional(self) -> Result<Option<R>> {
        let mut found = self.at_most(2).fetch_all().await?;
        if found.len() > 1 { Err(Error::NotUnique { query: "dynamic" }) } else { Ok(found.pop()) }
    }

    /// The one that is found.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none; also as [`fetch_optional`](Self::fetch_optional).
    pub async fn fetch_one(self) -> Result<R> {
        self.fetch_optional().await?.ok_or(Error::NotFound { query: "dynamic" })
    }
}

impl<R> fmt::Debug for DynamicQuery<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DynamicQuery").field(&self.ctx).finish()
    }
}
