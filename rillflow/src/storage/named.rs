//! Collections of which only the name is known, as tools meet them.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row};

use super::ask::{query, query_scalar};
use super::failure::unreadable_parameter;
use crate::model::RawJson;
use crate::sql::{self, Texts};
use crate::{Error, Result};

/// A collection as the catalog knows it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) table: String,
    /// The SQL type of its ids.
    pub(crate) id_type: String,
    /// Estimated.
    pub(crate) documents: i64,
    pub(crate) bytes: i64,
    /// How often it was read whole, and by an index.
    pub(crate) whole_scans: i64,
    pub(crate) index_scans: i64,
}

/// One of its indexes.
#[derive(Clone, Debug)]
pub(crate) struct NamedIndex {
    pub(crate) name: String,
    pub(crate) valid: bool,
    pub(crate) unique: bool,
    pub(crate) scans: i64,
    pub(crate) bytes: i64,
}

/// All that is stored of a document.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) document: RawJson,
    pub(crate) version: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) deleted_at: Option<DateTime<Utc>>,
}

/// The collections of the store's schema.
pub(crate) async fn collections(conn: &mut PgConnection, texts: &Texts) -> Result<Vec<Named>> {
    let query = query(sql::LIST_COLLECTIONS).bind(texts.schema().as_str());
    let rows = query.fetch_all(conn).await?;
    let read = |row: &sqlx::postgres::PgRow| {
        Ok(Named {
            table: row.try_get(0)?,
            id_type: row.try_get(1)?,
            documents: row.try_get(2)?,
            bytes: row.try_get(3)?,
            whole_scans: row.try_get(4)?,
            index_scans: row.try_get(5)?,
        })
    };
    rows.iter().map(read).collect()
}

/// The indexes of a table.
pub(crate) async fn indexes(conn: &mut PgConnection, texts: &Texts, table: &str) -> Result<Vec<NamedIndex>> {
    let query = query(sql::LIST_INDEXES).bind(texts.schema().as_str()).bind(table);
    let rows = query.fetch_all(conn).await?;
    let read = |row: &sqlx::postgres::PgRow| {
        Ok(NamedIndex {
            name: row.try_get(0)?,
            valid: row.try_get(1)?,
            unique: row.try_get(2)?,
            scans: row.try_get(3)?,
            bytes: row.try_get(4)?,
        })
    };
    rows.iter().map(read).collect()
}

/// A document, deleted or not.
pub(crate) async fn show(conn: &mut PgConnection, texts: &Texts, at: &Named, id: &str) -> Result<Option<Stored>> {
    let text = texts.named(sql::SHOW_DOCUMENT, &at.table, &at.id_type);
    let row = query(text).bind(id).fetch_optional(conn).await.map_err(|e| not_an_id(e, at, id))?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Stored {
        document: RawJson::from_text(row.try_get::<String, _>(0)?),
        version: row.try_get(1)?,
        created_at: row.try_get(2)?,
        updated_at: row.try_get(3)?,
        deleted_at: row.try_get(4)?,
    }))
}

/// Marks a document as deleted, and returns its new version. `None`: it is already, or not there.
pub(crate) async fn soft_delete(conn: &mut PgConnection, texts: &Texts, at: &Named, id: &str) -> Result<Option<i64>> {
    change(conn, texts, sql::SOFT_DELETE_NAMED, at, id).await
}

/// Brings a deleted document back, and returns its new version. `None`: it is not deleted, or not there.
pub(crate) async fn restore(conn: &mut PgConnection, texts: &Texts, at: &Named, id: &str) -> Result<Option<i64>> {
    change(conn, texts, sql::RESTORE_NAMED, at, id).await
}

async fn change(
    conn: &mut PgConnection,
    texts: &Texts,
    text: &'static str,
    at: &Named,
    id: &str,
) -> Result<Option<i64>> {
    let query = query_scalar(texts.named(text, &at.table, &at.id_type)).bind(id);
    query.fetch_optional(conn).await.map_err(|e| not_an_id(e, at, id))
}

fn not_an_id(error: sqlx::Error, at: &Named, id: &str) -> Error {
    if !unreadable_parameter(&error) {
        return error.into();
    }
    let problem = format!("`{}` is no id of {}, whose ids are {}", id.escape_debug(), at.table, at.id_type);
    Error::InvalidQuery { problem }
}
