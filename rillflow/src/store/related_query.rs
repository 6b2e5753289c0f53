//! Documents with those of other collections beside them, together with the store that finds them.

use super::document_query::{DocumentQuery, SelectQuery};
use crate::model::Document;
use crate::model::query::{
    Beside, Column, Condition, Definition, Find, Identifies, OrderBy, Path, Referred, Referring, ScalarOf, Scope,
    WithRelated,
};

impl<'s, D, C, O, S, const LIMIT: bool, const OFFSET: bool> DocumentQuery<'s, D, C, O, S, LIMIT, OFFSET>
where
    D: Document,
    C: Condition<Root = D>,
    O: OrderBy<Root = D>,
    S: Scope,
{
    /// Beside each document the one `R` whose id is in a field, in the same statement; none when there is none, or it
    /// is soft-deleted.
    ///
    /// ```no_run
    /// # use rillflow::{Document, Store};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Document)]
    /// # struct Author { #[document(id)] id: i64, name: String }
    /// # #[derive(Serialize, Deserialize, Document)]
    /// # struct Book { #[document(id)] id: i64, author: i64, title: String }
    /// # async fn example(store: Store) -> rillflow::Result<()> {
    /// let books: Vec<(Book, Option<Author>)> =
    ///     store.docs().query::<Book>().filter(|b| b.title.eq("Emma")).include(|b| b.author).fetch_all().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[allow(clippy::type_complexity, reason = "the type is the query")]
    pub fn include<R: Document, P: Path<Root = D>>(
        self,
        key: impl FnOnce(D::Paths) -> Column<P>,
    ) -> SelectQuery<'s, WithRelated<Find<D, C, O, S, LIMIT, OFFSET>, (Referred<R, P>,)>>
    where
        ScalarOf<P>: Identifies<R::Id>,
    {
        SelectQuery { core: self.core, query: self.find.include(key) }
    }

    /// Beside each document all `R`, by their id, that hold its id in a field, in the same statement; soft-deleted ones
    /// are left out. Each document found looks for them once, by an index on that field if there is one.
    ///
    /// ```no_run
    /// # use rillflow::{Document, Store};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Document)]
    /// # struct Author { #[document(id)] id: i64, name: String }
    /// # #[derive(Serialize, Deserialize, Document)]
    /// # struct Book { #[document(id)] id: i64, #[document(index)] author: i64, title: String }
    /// # async fn example(store: Store) -> rillflow::Result<()> {
    /// let authors: Vec<(Author, Vec<Book>)> =
    ///     store.docs().query::<Author>().filter(|a| a.name.eq("Jane")).include_many::<Book, _>(|b| b.author).fetch_all().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[allow(clippy::type_complexity, reason = "the type is the query")]
    pub fn include_many<R: Document, P: Path<Root = R>>(
        self,
        key: impl FnOnce(R::Paths) -> Column<P>,
    ) -> SelectQuery<'s, WithRelated<Find<D, C, O, S, LIMIT, OFFSET>, (Referring<R, P>,)>>
    where
        ScalarOf<P>: Identifies<D::Id>,
    {
        SelectQuery { core: self.core, query: self.find.include_many(key) }
    }
}

impl<'s, D: Document, F: Definition<Row = D>, B> SelectQuery<'s, WithRelated<F, B>> {
    /// One more beside each document, in the same statement. A row is one tuple, in the order of the includes.
    ///
    /// ```no_run
    /// # use rillflow::{Document, Store};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Document)]
    /// # struct Author { #[document(id)] id: i64, name: String }
    /// # #[derive(Serialize, Deserialize, Document)]
    /// # struct Publisher { #[document(id)] id: String }
    /// # #[derive(Serialize, Deserialize, Document)]
    /// # struct Book { #[document(id)] id: i64, author: i64, publisher: Option<String> }
    /// # async fn example(store: Store) -> rillflow::Result<()> {
    /// let books: Vec<(Book, Option<Author>, Option<Publisher>)> = store
    ///     .docs()
    ///     .query::<Book>()
    ///     .include::<Author, _>(|b| b.author)
    ///     .include::<Publisher, _>(|b| b.publisher)
    ///     .fetch_all()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn include<R: Document, P: Path<Root = D>>(
        self,
        key: impl FnOnce(D::Paths) -> Column<P>,
    ) -> SelectQuery<'s, WithRelated<F, B::All>>
    where
        ScalarOf<P>: Identifies<R::Id>,
        B: Beside<Referred<R, P>>,
    {
        SelectQuery { core: self.core, query: self.query.include(key) }
    }

    /// More beside each document, in the same statement: as [`DocumentQuery::include_many`].
    pub fn include_many<R: Document, P: Path<Root = R>>(
        self,
        key: impl FnOnce(R::Paths) -> Column<P>,
    ) -> SelectQuery<'s, WithRelated<F, B::All>>
    where
        ScalarOf<P>: Identifies<D::Id>,
        B: Beside<Referring<R, P>>,
    {
        SelectQuery { core: self.core, query: self.query.include_many(key) }
    }
}
