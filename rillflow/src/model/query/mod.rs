//! Typed queries as values: paths of zero size, a const tree of conditions, and what a query gives back.
//!
//! A closure such as `|c| c.email == mail` gets the document's [`PathSet`]. Each field is a [`Column`] whose type holds
//! the field's path; comparing it makes a type that holds the comparison ([`Condition`]); and the whole filter's tree
//! is a const of that type, from which the text and the index coverage are made while the program compiles.

pub mod text;
pub mod tree;

mod aggregate;
mod as_json;
mod capability;
mod column;
mod compiled;
mod condition;
mod containers;
mod coverage;
mod declared;
mod ending;
mod entry;
mod fields;
mod find;
mod group;
mod grouped;
mod implied;
mod logic;
mod operand;
mod order;
pub(crate) mod paging;
mod path;
mod presence;
mod related;
mod result;
mod row;
mod scalar;
mod search;
mod select;
mod several;
mod steps;
mod trail;

pub use aggregate::*;
pub use as_json::AsJson;
pub use capability::*;
pub use compiled::Compiled;
pub use condition::*;
pub use containers::*;
pub use coverage::{check_filter, check_order, check_rank};
pub(crate) use coverage::{is_containment, is_entry_equality, keeps_its_json_form};
pub use declared::*;
pub use ending::{Aggregated, Counted, Exists, First, NextPage, NumberedPaged, One, Paged, Unranged};
pub use entry::{Entry, Key, Keyed, entry};
pub use fields::FieldList;
pub use find::{Definition, Find, Included, Living, Only, Scope, Selected};
pub use group::{Group, GroupBy, Over, Size, check_groups, check_rows, groups};
pub use grouped::{Distinct, GroupRows, Grouped};
pub use logic::*;
pub use operand::*;
pub use order::*;
pub use paging::{After, Cursor, NumberedPage, Page};
pub use path::*;
pub use presence::{Always, Maybe, Presence, Sometimes};
pub use related::{
    Beside, Identifies, Referred, Referring, Relation, Relations, WithRelated, check_related, referred, referring,
};
pub use result::*;
pub use row::{FromRow, FromRows, Row};
pub use scalar::{float, integer};
pub use search::*;
pub use select::*;
pub use several::Queries;
pub use steps::{GroupSteps, Steps, any_condition, entry_of};
pub use trail::{ColumnOf, Trail};

use super::SqlValue;
use crate::Result;

/// A query whose text was made by rustc. `#[compiled_query]` returns one, and [`Find`] is one.
///
/// Object safe: a `Box<dyn Query<Vec<Customer>>>` is a query too, and may be any of several.
///
/// # Example
///
/// ```
/// use rillflow::{Document, Query, compiled_query};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Document)]
/// #[document(gin, index(author, year desc))]
/// struct Note {
///     #[document(id)]
///     id: i64,
///     author: String,
///     year: i32,
///     tags: Vec<String>,
/// }
///
/// #[compiled_query]
/// fn latest(author: &str, tag: &str, limit: i64) -> impl Query<Vec<Note>> {
///     Note::query()
///         .filter(|n| n.author == author && (n.tags.contains(tag) || n.year > 2020))
///         .order_by(|n| n.year.desc())
///         .limit(limit)
/// }
///
/// let query = latest("ada", "math", 10);
/// assert_eq!(
///     query.sql(),
///     "SELECT doc FROM public.docs_notes WHERE (doc->>'author') = $1::text \
///      AND (doc @> jsonb_build_object('tags', jsonb_build_array($2::text)) OR ((doc->>'year')::bigint) > 2020) \
///      AND deleted_at IS NULL ORDER BY ((doc->>'year')::bigint) DESC LIMIT $3::bigint",
/// );
/// ```
///
/// Groups, and documents of other collections:
///
/// ```
/// use rillflow::{Document, Query, compiled_query};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Document)]
/// struct Author {
///     #[document(id)]
///     id: i64,
///     #[document(index)]
///     country: String,
/// }
///
/// #[derive(Serialize, Deserialize, Document)]
/// struct Book {
///     #[document(id)]
///     id: i64,
///     #[document(index)]
///     author: i64,
///     year: i32,
///     pages: i64,
/// }
///
/// struct Year {
///     year: i32,
///     books: i64,
///     pages: i64,
/// }
///
/// #[compiled_query]
/// fn years_of(author: i64) -> impl Query<Vec<Year>> {
///     Book::query()
///         .filter(|b| b.author == author)
///         .group_by(|b| b.year)
///         .having(|_, g| g.count() > 1)
///         .order_by(|b, g| (g.sum(b.pages).desc(), b.year.asc()))
///         .select(|b, g| Year { year: b.year, books: g.count(), pages: g.sum(b.pages) })
/// }
///
/// #[compiled_query]
/// fn with_books(country: &str) -> impl Query<Vec<(Author, Vec<Book>)>> {
///     Author::query().filter(|a| a.country == country).include_many::<Book>(|b| b.author)
/// }
///
/// #[compiled_query]
/// fn with_author(id: i64) -> impl Query<Option<(Book, Option<Author>)>> {
///     Book::query().filter(|b| b.id == id).include::<Author>(|b| b.author).one()
/// }
/// # assert_eq!(years_of(1).binds().len() + with_books("no").binds().len() + with_author(1).binds().len(), 3);
/// ```
///
/// A query that no declared index serves does not compile:
///
/// ```compile_fail
/// # use rillflow::{Document, Query, compiled_query};
/// # #[derive(serde::Serialize, serde::Deserialize, Document)]
/// # struct Note { #[document(id)] id: i64, author: String }
/// #[compiled_query]
/// fn by_author(author: &str) -> impl Query<Vec<Note>> {
///     Note::query().filter(|n| n.author == author)
/// }
/// ```
#[must_use = "a query does nothing until a store runs it"]
pub trait Query<Out>: Send + Sync {
    /// The function's name, or the collection's, for logs and errors.
    fn name(&self) -> &'static str;
    /// The statement, for the default schema.
    fn sql(&self) -> &'static str;
    /// Its parameters, in order.
    fn binds(&self) -> Vec<SqlValue>;
    /// Whether its arguments go with it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCursor`](crate::Error::InvalidCursor) when a page is to begin after a cursor of another query.
    fn check(&self) -> Result<()> {
        Ok(())
    }
    /// Makes the result of the rows found.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`](crate::Error::Decode) when a row does not fit, [`Error::NotUnique`](crate::Error::NotUnique)
    /// when one row was asked for and more were found.
    fn decode(&self, rows: &[Row<'_>]) -> Result<Out>;
}
