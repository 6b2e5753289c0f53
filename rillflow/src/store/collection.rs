//! What a collection can do by id, whatever its documents' type: the typed and the schemaless facade both use it.

use crate::model::{Collection, DocMetadata, IdValue, SqlValue, Stored};
use crate::observe::operation;
use crate::runtime::SharedCore;
use crate::runtime::warm::ask;
use crate::storage::documents::{self, In};
use crate::{Error, Result};

/// One collection of one store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access<'s> {
    pub(super) core: &'s SharedCore,
    pub(super) collection: &'static Collection,
    pub(super) metadata: Option<&'s DocMetadata>,
}

impl<'s> Access<'s> {
    pub(super) fn at(&self) -> In<'s> {
        In { texts: &self.core.texts, collection: self.collection, metadata: self.metadata }
    }

    pub(super) async fn put(&self, id: IdValue, json: String) -> Result<i64> {
        let work = async {
            let written = ask(self.core, async |conn| documents::put(conn, self.at(), id.clone(), json).await).await?;
            written.ok_or_else(|| self.deleted(&id))
        };
        operation!(self.core, "put", self.collection.name).run(work).await
    }

    pub(super) async fn insert(&self, id: IdValue, json: String) -> Result<i64> {
        let work = ask(self.core, async |conn| {
            if let Some(version) = documents::insert(conn, self.at(), id.clone(), json).await? {
                return Ok(version);
            }
            Err(match documents::state(conn, self.at(), id.clone()).await? {
                Some((_, true)) => self.deleted(&id),
                _ => Error::AlreadyExists { collection: self.collection.name, id: id.to_string() },
            })
        });
        operation!(self.core, "insert", self.collection.name).run(work).await
    }

    /// Stores a new document under an id of its sequence, which first goes past ids that were given by hand.
    pub(super) async fn create(&self, json: String) -> Result<(IdValue, i64)> {
        let mut conn = self.core.pool.acquire().await?;
        loop {
            if let Some(created) = documents::create(&mut conn, self.at(), json.clone()).await? {
                return Ok(created);
            }
            documents::catch_up_sequence(&mut conn, self.at()).await?;
        }
    }

    pub(super) async fn reserve_ids(&self, count: u32) -> Result<Vec<IdValue>> {
        let mut conn = self.core.pool.acquire().await?;
        let ids = documents::reserve_ids(&mut conn, self.at(), count.into()).await?;
        Ok(ids.into_iter().map(IdValue::Int).collect())
    }

    pub(super) async fn replace(&self, id: IdValue, json: String, expected: i64) -> Result<i64> {
        let work = ask(self.core, async |conn| {
            match documents::replace(conn, self.at(), id.clone(), json, expected).await? {
                Some(version) => Ok(version),
                None => Err(self.refusal(conn, &id, Some(expected)).await?),
            }
        });
        operation!(self.core, "replace", self.collection.name).run(work).await
    }

    /// Reads a document that must be at version `expected`.
    pub(super) async fn get_at<T>(
        &self,
        id: IdValue,
        expected: i64,
        read: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<T> {
        let work = ask(self.core, async |conn| match documents::get(conn, self.at(), id.clone(), read).await? {
            Some((document, version)) if version == expected => Ok(document),
            Some((_, actual)) => Err(self.conflict(&id, expected, actual)),
            None => Err(self.refusal(conn, &id, Some(expected)).await?),
        });
        operation!(self.core, "get", self.collection.name).run(work).await
    }

    pub(super) async fn get<T>(&self, id: IdValue, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<Option<(T, i64)>> {
        let work = ask(self.core, async |conn| documents::get(conn, self.at(), id, read).await);
        operation!(self.core, "get", self.collection.name).run(work).await
    }

    pub(super) async fn get_stored<T>(
        &self,
        id: IdValue,
        read: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<Option<Stored<T>>> {
        let mut conn = self.core.pool.acquire().await?;
        documents::get_stored(&mut conn, self.at(), id, read).await
    }

    pub(super) async fn get_many<T>(&self, ids: SqlValue, read: impl Fn(&[u8]) -> Result<T>) -> Result<Vec<(T, i64)>> {
        let work = ask(self.core, async |conn| documents::get_many(conn, self.at(), ids, read).await);
        operation!(self.core, "get_many", self.collection.name).run(work).await
    }

    pub(super) async fn delete(&self, id: IdValue, soft: bool) -> Result<bool> {
        let work = ask(self.core, async |conn| documents::delete(conn, self.at(), id, soft).await);
        operation!(self.core, "delete", self.collection.name).run(work).await
    }

    pub(super) async fn restore(&self, id: IdValue) -> Result<i64> {
        let work = async {
            let mut conn = self.core.pool.acquire().await?;
            if let Some(version) = documents::restore(&mut conn, self.at(), id.clone()).await? {
                return Ok(version);
            }
            let state = documents::state(&mut conn, self.at(), id.clone()).await?;
            state.map(|(version, _)| version).ok_or_else(|| self.not_found(&id))
        };
        operation!(self.core, "restore", self.collection.name).run(work).await
    }

    pub(super) async fn exists(&self, id: IdValue) -> Result<bool> {
        let work = ask(self.core, async |conn| documents::exists(conn, self.at(), id).await);
        operation!(self.core, "exists", self.collection.name).run(work).await
    }

    pub(super) async fn count(&self) -> Result<i64> {
        let work = async {
            let mut conn = self.core.pool.acquire().await?;
            documents::count(&mut conn, self.at()).await
        };
        operation!(self.core, "count", self.collection.name).run(work).await
    }

    /// Why a write changed nothing, asked after the fact.
    pub(super) async fn refusal(
        &self,
        conn: &mut sqlx::PgConnection,
        id: &IdValue,
        expected: Option<i64>,
    ) -> Result<Error> {
        let state = documents::state(conn, self.at(), id.clone()).await?;
        Ok(match (state, expected) {
            (Some((_, true)), _) => self.deleted(id),
            (Some((actual, false)), Some(expected)) => self.conflict(id, expected, actual),
            _ => self.not_found(id),
        })
    }

    fn conflict(&self, id: &IdValue, expected: i64, actual: i64) -> Error {
        documents::conflict(self.collection, id, expected, actual)
    }

    fn deleted(&self, id: &IdValue) -> Error {
        Error::DocDeleted { collection: self.collection.name, id: id.to_string() }
    }

    fn not_found(&self, id: &IdValue) -> Error {
        Error::DocNotFound { collection: self.collection.name, id: id.to_string() }
    }

    /// How a document is named in errors.
    pub(super) fn name(&self, id: &IdValue) -> String {
        format!("{} {id}", self.collection.name)
    }
}
