//! Changes to parts of documents: by id, or wherever a condition holds.

use super::Docs;
use crate::Result;
use crate::model::query::{Condition, Query};
use crate::model::{Document, DocumentId, Patch, PatchChanges, SqlValue};
use crate::observe::operation;
use crate::runtime::warm;
use crate::sql::FilteredWrite;
use crate::storage::documents;

impl Docs<'_> {
    /// Changes parts of a document where it lies, and returns its new version. One statement, which reads nothing back.
    ///
    /// Patches of one document wait for each other and none is lost: two increments at the same time count twice.
    ///
    /// ```no_run
    /// # use rillflow::{Document, DocumentFields, Store};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, DocumentFields)]
    /// # struct Address { city: String }
    /// # #[derive(Serialize, Deserialize, Document)]
    /// # struct Customer { #[document(id)] id: i64, address: Address, score: Option<f64>, tags: Vec<String> }
    /// # async fn example(store: Store) -> rillflow::Result<()> {
    /// let version = store
    ///     .docs()
    ///     .patch::<Customer>(&42, |c, p| p.set(c.address.city, "Oslo").increment(c.score, 1.0).append(c.tags, "vip"))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::DocNotFound`](crate::Error::DocNotFound), [`Error::DocDeleted`](crate::Error::DocDeleted),
    /// [`Error::Patch`](crate::Error::Patch) when what is stored is of another shape,
    /// [`Error::Payload`](crate::Error::Payload) for a value that cannot be stored. Nothing is written then.
    pub async fn patch<D: Document>(
        &self,
        id: &D::Id,
        changes: impl FnOnce(D::Paths, Patch<D>) -> Patch<D>,
    ) -> Result<i64> {
        self.patch_at(id, None, changes(D::PATHS, Patch::new())).await
    }

    /// As [`patch`](Self::patch), if the document is still at version `expected`.
    ///
    /// # Errors
    ///
    /// [`Error::DocVersionConflict`](crate::Error::DocVersionConflict) when it is not; otherwise as
    /// [`patch`](Self::patch).
    pub async fn patch_expected<D: Document>(
        &self,
        id: &D::Id,
        expected: i64,
        changes: impl FnOnce(D::Paths, Patch<D>) -> Patch<D>,
    ) -> Result<i64> {
        self.patch_at(id, Some(expected), changes(D::PATHS, Patch::new())).await
    }

    async fn patch_at<D: Document>(&self, id: &D::Id, expected: Option<i64>, patch: Patch<D>) -> Result<i64> {
        let (access, id, changes) = (self.of::<D>(), id.id_value(), patch.into_changes()?);
        let work = warm::ask(self.core, async |conn| {
            match documents::patch(conn, access.at(), id.clone(), changes, expected).await? {
                Some(version) => Ok(version),
                None => Err(access.refusal(conn, &id, expected).await?),
            }
        });
        operation!(self.core, "patch", D::COLLECTION.name).run(work).await
    }

    /// Changes parts of every document that a condition finds, and returns how many there were. One statement.
    ///
    /// # Errors
    ///
    /// As [`patch`](Self::patch): if one document cannot be changed, none is.
    pub async fn patch_where<D: Document, C: Condition<Root = D>>(
        &self,
        condition: impl FnOnce(D::Paths) -> C,
        changes: impl FnOnce(D::Paths, Patch<D>) -> Patch<D>,
    ) -> Result<u64> {
        let found = D::query().filter(condition);
        let mut values = found.binds();
        let PatchChanges { json, in_steps } = changes(D::PATHS, Patch::new()).into_changes()?;
        values.push(SqlValue::Json(json));
        let write = FilteredWrite::Patch { changes: values.len(), in_steps };
        let work = async {
            let mut conn = self.core.pool.acquire().await?;
            documents::write_found(&mut conn, self.of::<D>().at(), found.sql(), write, values).await
        };
        operation!(self.core, "patch_where", D::COLLECTION.name).run(work).await
    }

    /// Deletes every document that a condition finds, softly if that is how the collection deletes, and returns how
    /// many there were. One statement.
    ///
    /// ```no_run
    /// # use rillflow::{Document, Store};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Document)]
    /// # struct Note { #[document(id)] id: i64, stars: i64 }
    /// # async fn example(store: Store) -> rillflow::Result<()> {
    /// let deleted = store.docs().delete_where::<Note, _>(|n| n.stars.lt(2)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete): if one document cannot go, none does.
    pub async fn delete_where<D: Document, C: Condition<Root = D>>(
        &self,
        condition: impl FnOnce(D::Paths) -> C,
    ) -> Result<u64> {
        let found = D::query().filter(condition);
        let write = if D::COLLECTION.soft_delete { FilteredWrite::SoftDelete } else { FilteredWrite::Delete };
        let work = async {
            let mut conn = self.core.pool.acquire().await?;
            documents::write_found(&mut conn, self.of::<D>().at(), found.sql(), write, found.binds()).await
        };
        operation!(self.core, "delete_where", D::COLLECTION.name).run(work).await
    }
}
