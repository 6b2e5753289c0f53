//! Typed queries of a store.

use super::Store;
use crate::Result;
use crate::model::RawJson;
use crate::model::query::{AsJson, Queries, Query};
use crate::observe::operation;
use crate::runtime::SharedCore;
use crate::runtime::warm::ask;
use crate::storage::{queries, rows};

impl Store {
    /// Runs a typed query: one statement, whose text was made by rustc.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`](crate::Error::Decode) when a document does not fit its type,
    /// [`Error::NotUnique`](crate::Error::NotUnique) when a query for one row found more.
    pub async fn query<Out>(&self, query: impl Query<Out>) -> Result<Out> {
        run(&self.core, query).await
    }

    /// Runs a typed query and gives its result as JSON, for handing on: an array of rows, one row or `null`, a page
    /// with its cursor, a number. Nothing is parsed, and it reads back as the result.
    ///
    /// ```no_run
    /// # use rillflow::{Document, Store};
    /// # #[derive(serde::Serialize, serde::Deserialize, Document)]
    /// # struct Note { #[document(id)] id: i64, title: String }
    /// # async fn example(store: Store) -> rillflow::Result<()> {
    /// let body: String = store.query_json(Note::query().filter(|n| n.title.eq("milk"))).await?.to_string();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query), but for documents that do not fit their type, which nobody notices here.
    pub async fn query_json<Out: AsJson>(&self, query: impl Query<Out>) -> Result<RawJson> {
        let work = ask(&self.core, async |conn| queries::run_json(conn, &self.core.texts, &query).await);
        operation!(&self.core, "query", query.name()).run(work).await
    }

    /// Runs one to eight typed queries, a tuple of them, in one statement, and gives a tuple of their results.
    ///
    /// One round trip, and all of them see the same moment. The text of a combination is put together once; its
    /// prepared statement is used again like that of a single query. The results are read into memory.
    ///
    /// ```no_run
    /// # use rillflow::{Document, Query, Store, compiled_query};
    /// # #[derive(serde::Serialize, serde::Deserialize, Document)]
    /// # struct Note { #[document(id)] id: i64, #[document(index)] title: String }
    /// #[compiled_query]
    /// fn titled(title: &str) -> impl Query<Vec<Note>> {
    ///     Note::query().filter(|n| n.title == title)
    /// }
    ///
    /// # async fn example(store: Store) -> rillflow::Result<()> {
    /// let (milk, number) = store.query_all((titled("milk"), Note::query().count())).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query), of the first of them that fails.
    pub async fn query_all<Outs>(&self, queries: impl Queries<Outs>) -> Result<Outs> {
        let work = ask(&self.core, async |conn| queries::run_all(conn, &self.core.texts, &queries).await);
        operation!(&self.core, "query", "several").run(work).await
    }

    /// How PostgreSQL would run a typed query with its arguments: the lines of `EXPLAIN`. The query does not run.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn explain<Out>(&self, query: impl Query<Out>) -> Result<String> {
        explain(&self.core, query).await
    }
}

/// Runs a typed query.
pub(super) async fn run<Out>(core: &SharedCore, query: impl Query<Out>) -> Result<Out> {
    let work = ask(core, async |conn| queries::run(conn, &core.texts, &query).await);
    operation!(core, "query", query.name()).run(work).await
}

/// How PostgreSQL would run a typed query.
pub(super) async fn explain<Out>(core: &SharedCore, query: impl Query<Out>) -> Result<String> {
    let mut conn = core.pool.acquire().await?;
    rows::explain(&mut conn, queries::statement(&core.texts, &query)?).await
}
