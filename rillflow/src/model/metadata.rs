//! What a document is stored with, beside itself.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{RawJson, SqlType, SqlValue, jsonb};
use crate::Result;

/// Who changed a document last, and in the course of what: columns of collections that say `#[document(metadata)]`.
///
/// Each write replaces all of it.
///
/// ```
/// use rillflow::DocMetadata;
///
/// # fn main() -> rillflow::Result<()> {
/// let request = DocMetadata::default()
///     .correlation_id(uuid::Uuid::now_v7())
///     .last_modified_by("ada")
///     .headers(&serde_json::json!({ "request": "r-123" }))?;
/// assert_eq!(request.last_modified_by.as_deref(), Some("ada"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct DocMetadata {
    /// What all that happens in one course has in common.
    pub correlation_id: Option<Uuid>,
    /// What led to this.
    pub causation_id: Option<Uuid>,
    /// Anything else, as JSON.
    pub headers: Option<RawJson>,
    /// Who wrote it.
    pub last_modified_by: Option<String>,
}

impl DocMetadata {
    /// Sets the correlation id.
    #[must_use]
    pub fn correlation_id(mut self, id: Uuid) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// Sets the causation id.
    #[must_use]
    pub fn causation_id(mut self, id: Uuid) -> Self {
        self.causation_id = Some(id);
        self
    }

    /// Sets who writes.
    #[must_use]
    pub fn last_modified_by(mut self, who: impl Into<String>) -> Self {
        self.last_modified_by = Some(who.into());
        self
    }

    /// Sets the headers.
    ///
    /// # Errors
    ///
    /// [`Error::Payload`](crate::Error::Payload) when PostgreSQL would not store them as they are.
    pub fn headers(mut self, headers: &(impl Serialize + ?Sized)) -> Result<Self> {
        let json = jsonb::encode(headers, || "the headers of a document".to_owned())?;
        self.headers = Some(RawJson::from_text(json));
        Ok(self)
    }

    /// The parameters of a statement.
    pub(crate) fn values(metadata: Option<&Self>) -> [SqlValue; 4] {
        let this = metadata.cloned().unwrap_or_default();
        let id = |id: Option<Uuid>| id.map_or(SqlValue::Null(SqlType::Uuid), SqlValue::Uuid);
        [
            id(this.correlation_id),
            id(this.causation_id),
            this.headers.map_or(SqlValue::Null(SqlType::Json), |json| SqlValue::Json(json.into_text())),
            this.last_modified_by.map_or(SqlValue::Null(SqlType::Text), SqlValue::Text),
        ]
    }
}

/// A document and all that is known of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Stored<D> {
    /// The document.
    pub document: D,
    /// Its version: 1, 2, 3...
    pub version: i64,
    /// When it was stored first, by the server's clock.
    pub created_at: DateTime<Utc>,
    /// When it was written last.
    pub updated_at: DateTime<Utc>,
    /// Since when it is soft-deleted.
    pub deleted_at: Option<DateTime<Utc>>,
    /// What it was written with; nothing in collections without `#[document(metadata)]`.
    pub metadata: DocMetadata,
}
