//! Documents: put, insert, get, update.

use super::DocumentQuery;
use crate::model::{Document, DocumentId};
use crate::runtime::SharedCore;
use crate::storage::documents;
use crate::{Error, Result};

/// The documents of a store. Each call is one statement in a transaction of its own.
#[derive(Clone, Copy, Debug)]
pub struct Docs<'s> {
    core: &'s SharedCore,
}

impl<'s> Docs<'s> {
    pub(super) fn new(core: &'s SharedCore) -> Self {
        Self { core }
    }

    /// Stores a document, whether it is there or not, and returns its new version: 1, 2, 3...
    ///
    /// # Errors
    ///
    /// [`Error::UniqueViolation`] when another document holds the same value of a unique index.
    pub async fn put<D: Document>(&self, document: &D) -> Result<i64> {
        let json = encode(document)?;
        let mut conn = self.core.pool.acquire().await?;
        documents::put(&mut conn, &self.core.texts, D::COLLECTION, document.id().id_value(), json).await
    }

    /// Stores a new document and returns its version, 1.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyExists`] when its id is taken; nothing is written then.
    /// [`Error::UniqueViolation`] as [`put`](Self::put).
    pub async fn insert<D: Document>(&self, document: &D) -> Result<i64> {
        let json = encode(document)?;
        let id = document.id().id_value();
        let mut conn = self.core.pool.acquire().await?;
        documents::insert(&mut conn, &self.core.texts, D::COLLECTION, id.clone(), json)
            .await?
            .ok_or_else(|| Error::AlreadyExists { collection: D::COLLECTION.name, id: id.to_string() })
    }

    /// A document and its version; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] when what is stored does not fit `D`.
    pub async fn get<D: Document>(&self, id: &D::Id) -> Result<Option<(D, i64)>> {
        let id = id.id_value();
        let mut conn = self.core.pool.acquire().await?;
        documents::get(&mut conn, &self.core.texts, D::COLLECTION, id.clone(), |json, version| {
            let document = serde_json::from_slice(json)
                .map_err(|source| Error::Decode { what: format!("{} {id}", D::COLLECTION.name), source })?;
            Ok((document, version))
        })
        .await
    }

    /// Begins a query over a collection.
    pub fn query<D: Document>(&self) -> DocumentQuery<'s, D> {
        DocumentQuery::new(self.core)
    }

    /// Changes a document that is still at version `expected`, and returns its new version.
    ///
    /// Reads it, lets `change` change it, and writes it back if nobody else did meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::DocVersionConflict`] when it is at another version, [`Error::DocNotFound`] when it is not there. Nothing
    /// is written then.
    pub async fn update<D: Document>(&self, id: &D::Id, expected: i64, change: impl FnOnce(&mut D)) -> Result<i64> {
        let Some((mut document, version)) = self.get::<D>(id).await? else {
            return Err(Error::DocNotFound { collection: D::COLLECTION.name, id: id.id_value().to_string() });
        };
        if version != expected {
            return Err(documents::conflict(D::COLLECTION, &id.id_value(), expected, version));
        }
        change(&mut document);
        document.set_id(id.clone());
        self.replace(&document, expected).await
    }

    /// Replaces a document that is still at version `expected`, and returns its new version.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub async fn replace<D: Document>(&self, document: &D, expected: i64) -> Result<i64> {
        let json = encode(document)?;
        let id = document.id().id_value();
        let mut conn = self.core.pool.acquire().await?;
        let updated = documents::update(&mut conn, &self.core.texts, D::COLLECTION, id.clone(), json, expected).await?;
        if let Some(version) = updated {
            return Ok(version);
        }
        let stored =
            documents::get(&mut conn, &self.core.texts, D::COLLECTION, id.clone(), |_, version| Ok(version)).await?;
        Err(match stored {
            Some(actual) => documents::conflict(D::COLLECTION, &id, expected, actual),
            None => Error::DocNotFound { collection: D::COLLECTION.name, id: id.to_string() },
        })
    }
}

fn encode<D: Document>(document: &D) -> Result<String> {
    serde_json::to_string(document).map_err(|e| Error::Encode {
        what: format!("{} {}", D::COLLECTION.name, document.id().id_value()),
        reason: e.to_string(),
    })
}
