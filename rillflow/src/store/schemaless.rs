//! Documents of no declared type: JSON by id, in the collection `docs`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::collection::Access;
use super::docs::decode;
use super::{Docs, DynamicQuery};
use crate::Result;
use crate::model::{Collection, DocumentQueryContext, IdValue, jsonb};

/// The schemaless documents of a store: anything that serde writes, under a [`Uuid`] that is not part of it.
///
/// Deleting is soft. Otherwise each method does what the one of the same name does in [`Docs`], with its errors and
/// its number of statements.
#[derive(Clone, Copy, Debug)]
pub struct Schemaless<'s> {
    access: Access<'s>,
}

impl<'s> Docs<'s> {
    /// Documents of no declared type.
    ///
    /// ```no_run
    /// # use rillflow::Store;
    /// # async fn example(store: Store) -> rillflow::Result<()> {
    /// let (docs, id) = (store.docs().schemaless(), uuid::Uuid::now_v7());
    /// let version = docs.put(&id, &serde_json::json!({"email": "a@example.com", "tier": "free"})).await?;
    /// docs.update::<serde_json::Value>(&id, version, |it| it["tier"] = "pro".into()).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn schemaless(&self) -> Schemaless<'s> {
        Schemaless { access: Access { core: self.core, collection: Collection::SCHEMALESS, metadata: None } }
    }
}

#[allow(clippy::missing_errors_doc, reason = "said once, at the type")]
impl<'s> Schemaless<'s> {
    /// Stores a document, whether it is there or not, and returns its new version.
    pub async fn put<T: Serialize + ?Sized>(&self, id: &Uuid, document: &T) -> Result<i64> {
        let json = self.encode(id, document)?;
        self.access.put(IdValue::Uuid(*id), json).await
    }

    /// Stores a new document and returns its version, 1.
    pub async fn insert<T: Serialize + ?Sized>(&self, id: &Uuid, document: &T) -> Result<i64> {
        let json = self.encode(id, document)?;
        self.access.insert(IdValue::Uuid(*id), json).await
    }

    /// Replaces a document that is still at version `expected`, and returns its new version.
    pub async fn replace<T: Serialize + ?Sized>(&self, id: &Uuid, document: &T, expected: i64) -> Result<i64> {
        let json = self.encode(id, document)?;
        self.access.replace(IdValue::Uuid(*id), json, expected).await
    }

    /// A document and its version.
    pub async fn get<T: DeserializeOwned>(&self, id: &Uuid) -> Result<Option<(T, i64)>> {
        self.access.get(IdValue::Uuid(*id), |json| decode(json, || self.name(id))).await
    }

    /// Documents and their versions, in the order of their ids here.
    pub async fn get_many<T: DeserializeOwned>(&self, ids: &[Uuid]) -> Result<Vec<(T, i64)>> {
        let ids = crate::model::SqlValue::Uuids(ids.to_vec());
        self.access.get_many(ids, |json| decode(json, || self.access.collection.name.to_owned())).await
    }

    /// Changes a document that is still at version `expected`, and returns its new version. Two statements.
    pub async fn update<T: Serialize + DeserializeOwned>(
        &self,
        id: &Uuid,
        expected: i64,
        change: impl FnOnce(&mut T),
    ) -> Result<i64> {
        let read = |json: &[u8]| decode::<T>(json, || self.name(id));
        let mut document = self.access.get_at(IdValue::Uuid(*id), expected, read).await?;
        change(&mut document);
        self.replace(id, &document, expected).await
    }

    /// Marks a document as deleted, and says whether there was one.
    pub async fn delete(&self, id: &Uuid) -> Result<bool> {
        self.access.delete(IdValue::Uuid(*id), true).await
    }

    /// Removes a document's row for good, and says whether there was one.
    pub async fn hard_delete(&self, id: &Uuid) -> Result<bool> {
        self.access.delete(IdValue::Uuid(*id), false).await
    }

    /// Brings a deleted document back, and returns its new version.
    pub async fn restore(&self, id: &Uuid) -> Result<i64> {
        self.access.restore(IdValue::Uuid(*id)).await
    }

    /// Whether there is a document of this id.
    pub async fn exists(&self, id: &Uuid) -> Result<bool> {
        self.access.exists(IdValue::Uuid(*id)).await
    }

    /// How many documents there are.
    pub async fn count(&self) -> Result<i64> {
        self.access.count().await
    }

    /// Begins a dynamic query, whose results are read as `R`.
    pub fn query<R>(&self) -> DynamicQuery<'s, R> {
        DynamicQuery::new(self.access.core, DocumentQueryContext::schemaless())
    }

    fn name(&self, id: &Uuid) -> String {
        self.access.name(&IdValue::Uuid(*id))
    }

    fn encode(&self, id: &Uuid, document: &(impl Serialize + ?Sized)) -> Result<String> {
        jsonb::encode(document, || self.name(id))
    }
}
