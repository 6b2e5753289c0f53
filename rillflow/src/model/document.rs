//! Documents: typed JSON by id, one table per collection.

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::query::tree::{IndexDefinition, PathInfo};
use super::query::{ColumnOf, Find, Identifies, PathSet, SingleValue};
use super::{Newtype, SqlType, SqlValue};
use crate::{Error, Result};

/// A type kept as a document. Derive it.
///
/// `#[document(soft_delete)]` makes deleting keep the row, so that it can be restored.
///
/// # Example
///
/// ```
/// use rillflow::Document;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Document)]
/// #[document(collection = "notes", gin, index(author, year desc))]
/// #[serde(rename_all = "camelCase")]
/// struct Note {
///     #[document(id)]
///     id: i64,
///     #[document(unique)]
///     title: String,
///     author: String,
///     year: i32,
///     tags: Vec<String>,
/// }
///
/// assert_eq!(Note::COLLECTION.table, "public.docs_notes");
/// assert_eq!(Note::COLLECTION.indexes[2].name, "docs_notes_title_key");
/// ```
#[diagnostic::on_unimplemented(message = "`{Self}` is not a document", label = "add `#[derive(Document)]` to `{Self}`")]
pub trait Document: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The type of the field marked `#[document(id)]`.
    type Id: DocumentId;
    /// The paths of its fields, as closures in queries see them.
    type Paths: PathSet;
    /// Its table and indexes.
    const COLLECTION: &'static Collection;
    /// Its table, in the default schema.
    #[doc(hidden)]
    const TABLE: &'static str = "";
    /// Its indexes as the coverage check sees them.
    #[doc(hidden)]
    const INDEXES: &'static [IndexDefinition] = &[];
    /// Its columns beside those that every collection has.
    #[doc(hidden)]
    const COLUMNS: &'static [ColumnOf] = &[];
    /// Its full-text index.
    #[doc(hidden)]
    const FULL_TEXT: Option<&'static IndexDefinition> = None;
    /// The one value of [`Paths`](Self::Paths).
    const PATHS: Self::Paths = <Self::Paths as PathSet>::NEW;

    /// The document's id.
    fn id(&self) -> &Self::Id;

    /// Gives the document its id: how a projection makes a new one.
    fn set_id(&mut self, id: Self::Id);

    /// Begins a query over the collection.
    fn query() -> Find<Self>
    where
        Self: Sized,
    {
        Find::new()
    }
}

/// One collection: what the schema needs to know of a document type.
#[derive(Debug)]
pub struct Collection {
    /// The Rust type's name, for messages.
    pub type_name: &'static str,
    /// The collection's name, such as `customers`.
    pub name: &'static str,
    /// Its table in the default schema, such as `public.docs_customers`.
    pub table: &'static str,
    /// The type of the id column.
    pub id_type: SqlType,
    /// Who makes the ids.
    pub id_source: IdSource,
    /// The id's key in the JSON.
    pub id_key: &'static str,
    /// Creates the table when it is not there.
    pub create_table: &'static str,
    /// Its columns beside those that every collection has, all of them part of `create_table`.
    pub columns: &'static [StoredColumn],
    /// Its declared indexes.
    pub indexes: &'static [Index],
    /// Its references to other collections, to be made when all tables are there.
    pub foreign_keys: &'static [ForeignKey],
    /// True when it has columns for metadata.
    pub metadata: bool,
    /// True when `delete` keeps the row, so that it can be restored.
    pub soft_delete: bool,
}

impl Collection {
    /// Documents of no declared type. A migration makes the table.
    pub const SCHEMALESS: &'static Self = &Self {
        type_name: "serde_json::Value",
        name: "docs",
        table: "public.docs",
        id_type: SqlType::Uuid,
        soft_delete: true,
        ..Self::NOTHING
    };

    /// What a document that did not compile has.
    #[doc(hidden)]
    pub const REFUSED: &'static Self = &Self::NOTHING;

    /// Refuses an id that is still to be made.
    ///
    /// # Errors
    ///
    /// [`Error::IdNotSet`].
    pub(crate) fn check_id(&self, id: &IdValue) -> Result<()> {
        if self.id_source != IdSource::Given && id.is_unset() {
            return Err(Error::IdNotSet { collection: self.name });
        }
        Ok(())
    }

    /// A collection that says nothing.
    pub(crate) const NOTHING: Self = Self {
        type_name: "",
        name: "",
        table: "",
        id_type: SqlType::Int,
        id_source: IdSource::Given,
        id_key: "id",
        create_table: "",
        columns: &[],
        indexes: &[],
        foreign_keys: &[],
        metadata: false,
        soft_delete: false,
    };
}

/// Who makes the ids of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdSource {
    /// The application.
    Given,
    /// Rillflow: a UUID of version 7 for a document that is [created](crate::Docs::create).
    V7,
    /// The collection's own sequence.
    Sequence,
}

/// A column of a collection's table beside those that every collection has.
#[derive(Debug)]
pub struct StoredColumn {
    /// Its name, such as `doc_email`.
    pub name: &'static str,
    /// `ALTER TABLE <table> ADD COLUMN IF NOT EXISTS ...`, for the default schema. A generated column makes PostgreSQL
    /// write the table anew.
    pub add: &'static str,
}

/// A reference to another collection, rendered.
#[derive(Debug)]
pub struct ForeignKey {
    /// Its name, such as `docs_orders_customer_fkey`.
    pub name: &'static str,
    /// `ALTER TABLE <table> ADD CONSTRAINT ...`, for the default schema.
    pub add: &'static str,
    /// The table that it points to, in the default schema.
    pub references: &'static str,
}

/// One declared index, rendered.
#[derive(Debug)]
pub struct Index {
    /// Its name, such as `docs_customers_email_idx`.
    pub name: &'static str,
    /// `CREATE [UNIQUE] INDEX <name> ON <table> ...`, for the default schema.
    pub create: &'static str,
    /// True when two documents cannot share a value.
    pub unique: bool,
    /// The PostgreSQL extension that it is built with.
    pub requires: Option<&'static str>,
}

/// An id in the form the database keeps it: comparable and hashable whatever the Rust type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each variant is the type of its name")]
pub enum IdValue {
    Uuid(Uuid),
    Int(i64),
    Text(String),
}

impl IdValue {
    /// True for what `Uuid::nil()` and 0 stand for: an id that is still to be made.
    pub(crate) fn is_unset(&self) -> bool {
        matches!(self, Self::Int(0)) || matches!(self, Self::Uuid(id) if id.is_nil())
    }

    /// The ids of an array parameter.
    pub(crate) fn each(array: SqlValue) -> Vec<Self> {
        match array {
            SqlValue::Uuids(ids) => ids.into_iter().map(Self::Uuid).collect(),
            SqlValue::Ints(ids) => ids.into_iter().map(Self::Int).collect(),
            SqlValue::Texts(ids) => ids.into_iter().map(Self::Text).collect(),
            _ => Vec::new(),
        }
    }

    /// Ids as one array parameter of the id column's type.
    pub(crate) fn array(sql_type: SqlType, ids: impl Iterator<Item = Self>) -> SqlValue {
        SqlValue::array(sql_type, ids.map(SqlValue::from).collect())
    }
}

impl std::fmt::Display for IdValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uuid(id) => id.fmt(f),
            Self::Int(id) => id.fmt(f),
            Self::Text(id) => id.fmt(f),
        }
    }
}

impl From<IdValue> for SqlValue {
    fn from(id: IdValue) -> Self {
        match id {
            IdValue::Uuid(id) => Self::Uuid(id),
            IdValue::Int(id) => Self::Int(id),
            IdValue::Text(id) => Self::Text(id),
        }
    }
}

/// A type that can be a document's id: `Uuid`, `i64`, `String`, or a newtype that derives `DocumentValue`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a document's id",
    label = "expected a `Uuid`, `i64`, `String`, or a newtype of one",
    note = "derive `DocumentValue` on the newtype: `struct CustomerId(Uuid);`"
)]
pub trait DocumentId: Clone + Send + Sync + 'static {
    /// The type of the id column.
    const SQL_TYPE: SqlType;
    /// The id as the database keeps it.
    fn id_value(&self) -> IdValue;
    /// The id that the database keeps so; `None` for one of another type.
    fn from_value(value: IdValue) -> Option<Self>;
}

/// A document whose ids are made for it: `#[document(id(v7))]` or `#[document(id(sequence))]`. The derive writes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` brings its own ids, so none can be made for it",
    label = "mark its id `#[document(id(v7))]` or `#[document(id(sequence))]`, or use `insert`"
)]
pub trait GeneratedId: Document {}

impl DocumentId for Uuid {
    const SQL_TYPE: SqlType = SqlType::Uuid;
    fn id_value(&self) -> IdValue {
        IdValue::Uuid(*self)
    }
    fn from_value(value: IdValue) -> Option<Self> {
        if let IdValue::Uuid(id) = value { Some(id) } else { None }
    }
}

impl DocumentId for i64 {
    const SQL_TYPE: SqlType = SqlType::Int;
    fn id_value(&self) -> IdValue {
        IdValue::Int(*self)
    }
    fn from_value(value: IdValue) -> Option<Self> {
        if let IdValue::Int(id) = value { Some(id) } else { None }
    }
}

impl DocumentId for String {
    const SQL_TYPE: SqlType = SqlType::Text;
    fn id_value(&self) -> IdValue {
        IdValue::Text(self.clone())
    }
    fn from_value(value: IdValue) -> Option<Self> {
        if let IdValue::Text(id) = value { Some(id) } else { None }
    }
}

impl<T: Newtype + Clone + Send + Sync + 'static> DocumentId for T
where
    T::Inner: DocumentId,
{
    const SQL_TYPE: SqlType = <T::Inner as DocumentId>::SQL_TYPE;
    fn id_value(&self) -> IdValue {
        self.inner().id_value()
    }
    fn from_value(value: IdValue) -> Option<Self> {
        T::Inner::from_value(value).map(T::wrap)
    }
}

/// Checks that the ids of a collection can be made as it says; fails to compile when they cannot.
#[doc(hidden)]
#[track_caller]
pub const fn made_id(id_type: SqlType, source: IdSource) {
    match (source, id_type) {
        (IdSource::V7, SqlType::Uuid) | (IdSource::Sequence, SqlType::Int) | (IdSource::Given, _) => {}
        (IdSource::V7, _) => {
            panic!("`id(v7)` makes UUIDs: the id must be a `Uuid` or a newtype of one")
        }
        (IdSource::Sequence, _) => {
            panic!("`id(sequence)` makes numbers: the id must be an `i64` or a newtype of one")
        }
    }
}

/// The path of a field that holds the id of a document, and that document's table.
#[doc(hidden)]
#[must_use]
pub const fn refers_to<D: Document, C: SingleValue>(_: &C) -> (&'static PathInfo, &'static str)
where
    C::Scalar: Identifies<D::Id>,
{
    (C::INFO, D::TABLE)
}
