//! Documents: put, insert, get, update.

use sqlx::{PgConnection, Row};

use super::bind::arguments;
use super::failure::of_collection;
use crate::model::{Changes, Collection, IdValue, ProjectionBatch, SqlType, SqlValue};
use crate::sql::{self, Texts};
use crate::{Error, Result};

/// Stores a document, whether it is there or not, and returns its new version.
pub(crate) async fn put(
    conn: &mut PgConnection,
    texts: &Texts,
    collection: &'static Collection,
    id: IdValue,
    json: String,
) -> Result<i64> {
    sqlx::query_scalar_with(texts.of(sql::PUT_DOCUMENT, collection), arguments(vec![id.into(), SqlValue::Json(json)])?)
        .fetch_one(conn)
        .await
        .map_err(|e| of_collection(e, collection))
}

/// Stores a new document. `None`: its id is taken.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    texts: &Texts,
    collection: &'static Collection,
    id: IdValue,
    json: String,
) -> Result<Option<i64>> {
    sqlx::query_scalar_with(
        texts.of(sql::INSERT_DOCUMENT, collection),
        arguments(vec![id.into(), SqlValue::Json(json)])?,
    )
    .fetch_optional(conn)
    .await
    .map_err(|e| of_collection(e, collection))
}

/// Reads a document: `read` gets its JSON, straight from the wire, and its version.
pub(crate) async fn get<T>(
    conn: &mut PgConnection,
    texts: &Texts,
    collection: &'static Collection,
    id: IdValue,
    read: impl FnOnce(&[u8], i64) -> Result<T>,
) -> Result<Option<T>> {
    let query = sqlx::query_with(texts.of(sql::GET_DOCUMENT, collection), arguments(vec![id.into()])?);
    let Some(row) = query.fetch_optional(conn).await? else { return Ok(None) };
    read(jsonb(&row, 0)?, row.try_get(1)?).map(Some)
}

/// Replaces a document at an expected version. `None`: it is at another, or not there.
pub(crate) async fn update(
    conn: &mut PgConnection,
    texts: &Texts,
    collection: &'static Collection,
    id: IdValue,
    json: String,
    expected: i64,
) -> Result<Option<i64>> {
    let values = vec![id.into(), SqlValue::Json(json), SqlValue::Int(expected)];
    sqlx::query_scalar_with(texts.of(sql::UPDATE_DOCUMENT, collection), arguments(values)?)
        .fetch_optional(conn)
        .await
        .map_err(|e| of_collection(e, collection))
}

/// Loads the documents that a batch touches; `lock` keeps them until the transaction ends.
pub(crate) async fn load_batch(
    conn: &mut PgConnection,
    texts: &Texts,
    collection: &'static Collection,
    batch: &mut dyn ProjectionBatch,
    lock: bool,
) -> Result<()> {
    let text = if lock { sql::LOCK_DOCUMENTS } else { sql::LOAD_DOCUMENTS };
    let query = sqlx::query_with(texts.of(text, collection), arguments(vec![batch.ids()])?);
    for row in query.fetch_all(conn).await? {
        let id = match collection.id_type {
            SqlType::Uuid => IdValue::Uuid(row.try_get(0)?),
            SqlType::Int => IdValue::Int(row.try_get(0)?),
            _ => IdValue::Text(row.try_get(0)?),
        };
        batch.load(&id, row.try_get(1)?, jsonb(&row, 2)?)?;
    }
    Ok(())
}

/// Writes the documents of an inline projection. `false`: one of them came into being meanwhile, so fold again.
pub(crate) async fn write_batch(
    conn: &mut PgConnection,
    texts: &Texts,
    collection: &'static Collection,
    changes: Changes,
) -> Result<bool> {
    let wanted = changes.docs.len() as u64;
    let values = vec![changes.ids, SqlValue::Texts(changes.docs), SqlValue::Ints(changes.versions)];
    let query = sqlx::query_with(texts.of(sql::WRITE_DOCUMENTS, collection), arguments(values)?);
    let done = query.execute(conn).await.map_err(|e| of_collection(e, collection))?;
    Ok(done.rows_affected() == wanted)
}

/// The bytes of a `jsonb` column: its version byte cut off.
pub(super) fn jsonb(row: &sqlx::postgres::PgRow, column: usize) -> Result<&[u8]> {
    let value = row.try_get_raw(column)?;
    match value.as_bytes().map_err(|e| super::failure::not_ours("a document", e))? {
        [1, json @ ..] => Ok(json),
        json => Ok(json),
    }
}

/// The error for a document that is not as expected.
pub(crate) fn conflict(collection: &'static Collection, id: &IdValue, expected: i64, actual: i64) -> Error {
    Error::DocVersionConflict { collection: collection.name, id: id.to_string(), expected, actual }
}
