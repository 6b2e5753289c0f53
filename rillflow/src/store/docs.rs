//! Documents of known types: by id and version.

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::DocumentQuery;
use super::collection::Access;
use crate::model::{DocMetadata, Document, DocumentId, GeneratedId, IdSource, IdValue, Stored, jsonb};
use crate::runtime::SharedCore;
use crate::{Error, Result};

/// The documents of a store. Unless it says otherwise, a call is one statement in a transaction of its own.
///
/// Every write answers with [`Error::Payload`] for what PostgreSQL would not store as it is, before anything is sent:
/// NUL characters, `NaN` and infinities (serde would write null for them), and what is too deep or too long
/// ([`jsonb`](crate::model::jsonb) names the limits).
#[derive(Clone, Copy, Debug)]
pub struct Docs<'s> {
    pub(super) core: &'s SharedCore,
    metadata: Option<&'s DocMetadata>,
}

impl<'s> Docs<'s> {
    pub(super) fn new(core: &'s SharedCore) -> Self {
        Self { core, metadata: None }
    }

    /// The same documents; writes through it store this metadata with them, where the collection has columns for it
    /// (`#[document(metadata)]`). Any other write clears what is there: it would no longer be true.
    ///
    /// Bulk inserts and projections store none.
    ///
    /// ```no_run
    /// # use rillflow::{DocMetadata, Document, Store};
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Serialize, Deserialize, Document)]
    /// #[document(metadata)]
    /// struct Note {
    ///     #[document(id)]
    ///     id: i64,
    ///     title: String,
    /// }
    /// # async fn example(store: Store, note: Note) -> rillflow::Result<()> {
    /// let by_ada = DocMetadata::default().last_modified_by("ada");
    /// store.docs().with_metadata(&by_ada).put(&note).await?;
    /// let stored = store.docs().get_with_metadata::<Note>(&note.id).await?.expect("a note");
    /// assert_eq!(stored.metadata.last_modified_by.as_deref(), Some("ada"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_metadata(self, metadata: &'s DocMetadata) -> Self {
        Self { metadata: Some(metadata), ..self }
    }

    pub(super) fn of<D: Document>(&self) -> Access<'s> {
        Access { core: self.core, collection: D::COLLECTION, metadata: self.metadata }
    }

    /// Stores a document, whether it is there or not, and returns its new version: 1, 2, 3...
    ///
    /// # Errors
    ///
    /// [`Error::DocDeleted`] when it is soft-deleted, [`Error::UniqueViolation`] when another document holds the same
    /// value of a unique index, [`Error::ForeignKeyViolation`] when it names a document that is not there.
    pub async fn put<D: Document>(self, document: &D) -> Result<i64> {
        let (id, json) = encode(document)?;
        self.of::<D>().put(id, json).await
    }

    /// Stores a new document and returns its version, 1.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyExists`] when its id is taken, or [`Error::DocDeleted`] when it is taken by a soft-deleted one;
    /// nothing is written then. Otherwise as [`put`](Self::put).
    pub async fn insert<D: Document>(self, document: &D) -> Result<i64> {
        let (id, json) = encode(document)?;
        self.of::<D>().insert(id, json).await
    }

    /// Stores a new document under an id that is made for it, gives the document that id, and returns its version, 1.
    ///
    /// For collections whose id is marked `#[document(id(v7))]` or `#[document(id(sequence))]`. A document that has an
    /// id already, neither nil nor 0, is inserted under that. One statement.
    ///
    /// ```no_run
    /// # use rillflow::{Document, Store};
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Serialize, Deserialize, Document)]
    /// struct Ticket {
    ///     #[document(id(sequence))]
    ///     id: i64,
    ///     title: String,
    /// }
    /// # async fn example(store: Store) -> rillflow::Result<()> {
    /// let mut ticket = Ticket { id: 0, title: "The door is stuck".to_owned() };
    /// store.docs().create(&mut ticket).await?;
    /// println!("this is ticket {}", ticket.id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert); the document has its new id only when it was stored. Cancelled, it may have been
    /// stored all the same.
    pub fn create<'d, D: GeneratedId>(self, document: &'d mut D) -> BoxFuture<'d, Result<i64>>
    where
        's: 'd,
    {
        // not an `async fn`: rustc would ask of its future once more what it asked of the document
        Box::pin(self.created(document))
    }

    async fn created<D: Document>(self, document: &mut D) -> Result<i64> {
        let access = self.of::<D>();
        let unset = document.id().id_value();
        if !unset.is_unset() {
            return self.insert(document).await;
        }
        if let IdSource::Sequence = D::COLLECTION.id_source {
            let json = jsonb::encode(document, || format!("a new document of {}", D::COLLECTION.name))?;
            let (id, version) = access.create(json).await?;
            set_id(document, id);
            return Ok(version);
        }
        let before = document.id().clone();
        set_id(document, IdValue::Uuid(Uuid::now_v7()));
        let inserted = self.insert(document).await;
        if inserted.is_err() {
            document.set_id(before);
        }
        inserted
    }

    /// Makes ids that nobody else gets, for documents that are stored by a session or in bulk. One statement for
    /// `id(sequence)`, none for `id(v7)`.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] when the collection was not synced.
    pub fn reserve_ids<D: GeneratedId>(self, count: u32) -> BoxFuture<'s, Result<Vec<D::Id>>> {
        Box::pin(self.reserved_ids::<D>(count))
    }

    async fn reserved_ids<D: Document>(self, count: u32) -> Result<Vec<D::Id>> {
        let ids: Vec<IdValue> = match D::COLLECTION.id_source {
            IdSource::Sequence => self.of::<D>().reserve_ids(count).await?,
            _ => (0..count).map(|_| IdValue::Uuid(Uuid::now_v7())).collect(),
        };
        Ok(ids.into_iter().filter_map(D::Id::from_value).collect())
    }

    /// A document and its version; `None` when there is none, or when it is soft-deleted.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] when what is stored does not fit `D`.
    pub async fn get<D: Document>(self, id: &D::Id) -> Result<Option<(D, i64)>> {
        let id = id.id_value();
        self.of::<D>().get(id.clone(), |json| decode(json, || self.of::<D>().name(&id))).await
    }

    /// A document, soft-deleted or not, with its version, its times and its metadata.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn get_with_metadata<D: Document>(self, id: &D::Id) -> Result<Option<Stored<D>>> {
        let id = id.id_value();
        self.of::<D>().get_stored(id.clone(), |json| decode(json, || self.of::<D>().name(&id))).await
    }

    /// Documents and their versions, in the order of their ids here. Those that are not there are left out.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn get_many<'i, D: Document>(self, ids: impl IntoIterator<Item = &'i D::Id>) -> Result<Vec<(D, i64)>> {
        let ids = IdValue::array(D::COLLECTION.id_type, ids.into_iter().map(DocumentId::id_value));
        self.of::<D>().get_many(ids, |json| decode(json, || D::COLLECTION.name.to_owned())).await
    }

    /// Changes a document that is still at version `expected`, and returns its new version.
    ///
    /// Reads it, lets `change` change it, and writes it back if nobody else did meanwhile: two statements.
    ///
    /// # Errors
    ///
    /// [`Error::DocVersionConflict`] when it is at another version, [`Error::DocNotFound`] when it is not there,
    /// [`Error::DocDeleted`] when it is soft-deleted. Nothing is written then. Otherwise as [`put`](Self::put).
    pub async fn update<D: Document>(self, id: &D::Id, expected: i64, change: impl FnOnce(&mut D)) -> Result<i64> {
        let (access, key) = (self.of::<D>(), id.id_value());
        let read = |json: &[u8]| decode::<D>(json, || access.name(&key));
        let mut document = access.get_at(key.clone(), expected, read).await?;
        change(&mut document);
        document.set_id(id.clone());
        self.replace(&document, expected).await
    }

    /// Replaces a document that is still at version `expected`, and returns its new version.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub async fn replace<D: Document>(self, document: &D, expected: i64) -> Result<i64> {
        let (id, json) = encode(document)?;
        self.of::<D>().replace(id, json, expected).await
    }

    /// Deletes a document, and says whether there was one.
    ///
    /// Of a `#[document(soft_delete)]` it only marks the row: queries and `get` no longer find it, writes to it are
    /// [`Error::DocDeleted`], it still holds its unique values, and [`restore`](Self::restore) brings it back. Of any
    /// other document it removes the row.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignKeyViolation`] when others still point to it.
    pub async fn delete<D: Document>(self, id: &D::Id) -> Result<bool> {
        self.of::<D>().delete(id.id_value(), D::COLLECTION.soft_delete).await
    }

    /// Removes a document's row for good, soft-deleted or not, and says whether there was one.
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete).
    pub async fn hard_delete<D: Document>(self, id: &D::Id) -> Result<bool> {
        self.of::<D>().delete(id.id_value(), false).await
    }

    /// Brings a soft-deleted document back, and returns its new version. One that is not deleted keeps its version.
    ///
    /// # Errors
    ///
    /// [`Error::DocNotFound`] when there is no row.
    pub async fn restore<D: Document>(self, id: &D::Id) -> Result<i64> {
        self.of::<D>().restore(id.id_value()).await
    }

    /// Whether there is a document of this id that is not soft-deleted. Reads no document.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] when the collection was not synced.
    pub async fn exists<D: Document>(self, id: &D::Id) -> Result<bool> {
        self.of::<D>().exists(id.id_value()).await
    }

    /// How many documents a collection holds, soft-deleted ones left out. PostgreSQL counts them one by one.
    ///
    /// # Errors
    ///
    /// As [`exists`](Self::exists).
    pub async fn count<D: Document>(self) -> Result<i64> {
        self.of::<D>().count().await
    }

    /// Begins a query over a collection.
    pub fn query<D: Document>(&self) -> DocumentQuery<'s, D> {
        DocumentQuery::new(self.core)
    }
}

/// Gives a document an id of its type.
fn set_id<D: Document>(document: &mut D, id: IdValue) {
    if let Some(id) = D::Id::from_value(id) {
        document.set_id(id);
    }
}

/// A document's id and JSON.
pub(super) fn encode<D: Document>(document: &D) -> Result<(IdValue, String)> {
    let id = document.id().id_value();
    D::COLLECTION.check_id(&id)?;
    let json = jsonb::encode(document, || format!("{} {id}", D::COLLECTION.name))?;
    Ok((id, json))
}

/// Reads stored JSON; `what` names it in the error.
pub(super) fn decode<T: DeserializeOwned>(json: &[u8], what: impl FnOnce() -> String) -> Result<T> {
    serde_json::from_slice(json).map_err(|source| Error::Decode { what: what(), source })
}
