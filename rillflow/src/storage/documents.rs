//! Documents by id, and the batches of projections.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{PgConnection, Row};

use super::ask::{query, query_scalar, query_scalar_with, query_with};
use super::bind::arguments;
use super::failure::of_collection;
use crate::model::{
    Changes, Collection, DocMetadata, IdValue, PatchChanges, ProjectionBatch, RawJson, SqlType, SqlValue, Stored,
};
use crate::sql::{self, FilteredWrite, Text, Texts};
use crate::{Error, Result};

/// What a question about one document needs to know: whose texts, which collection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct In<'t> {
    pub(crate) texts: &'t Texts,
    pub(crate) collection: &'static Collection,
    /// What writes are stored with, if the collection has columns for it.
    pub(crate) metadata: Option<&'t DocMetadata>,
}

impl In<'_> {
    /// Parameters, and those of the metadata behind them.
    fn arguments(&self, mut values: Vec<SqlValue>) -> Result<PgArguments> {
        if self.collection.metadata {
            values.extend(DocMetadata::values(self.metadata));
        }
        arguments(values)
    }
}

/// Stores a document, whether it is there or not, and returns its new version. `None`: it is deleted.
pub(crate) async fn put(conn: &mut PgConnection, at: In<'_>, id: IdValue, json: String) -> Result<Option<i64>> {
    write(conn, at, sql::PUT_DOCUMENT, vec![id.into(), SqlValue::Json(json)]).await
}

/// Stores a new document. `None`: its id is taken.
pub(crate) async fn insert(conn: &mut PgConnection, at: In<'_>, id: IdValue, json: String) -> Result<Option<i64>> {
    write(conn, at, sql::INSERT_DOCUMENT, vec![id.into(), SqlValue::Json(json)]).await
}

/// Stores a new document under the next id of its sequence, and returns both. `None`: that id was taken by hand.
pub(crate) async fn create(conn: &mut PgConnection, at: In<'_>, json: String) -> Result<Option<(IdValue, i64)>> {
    let values = vec![SqlValue::Json(json), SqlValue::Text(at.collection.id_key.to_owned())];
    let query = query_with(at.texts.of(sql::CREATE_DOCUMENT, at.collection), at.arguments(values)?);
    let row = query.fetch_optional(conn).await.map_err(|e| of_collection(e, at.collection))?;
    row.map(|row| Ok((IdValue::Int(row.try_get(0)?), row.try_get(1)?))).transpose()
}

/// Moves a collection's sequence behind the ids that were given by hand.
pub(crate) async fn catch_up_sequence(conn: &mut PgConnection, at: In<'_>) -> Result<()> {
    query(at.texts.of(sql::CATCH_UP_SEQUENCE, at.collection)).execute(conn).await?;
    Ok(())
}

/// Ids of a collection's sequence that nobody else gets.
pub(crate) async fn reserve_ids(conn: &mut PgConnection, at: In<'_>, count: i64) -> Result<Vec<i64>> {
    let query = query_scalar_with(at.texts.of(sql::RESERVE_IDS, at.collection), arguments(vec![SqlValue::Int(count)])?);
    Ok(query.fetch_all(conn).await?)
}

/// Replaces a document at an expected version. `None`: it is at another, deleted, or not there.
pub(crate) async fn replace(
    conn: &mut PgConnection,
    at: In<'_>,
    id: IdValue,
    json: String,
    expected: i64,
) -> Result<Option<i64>> {
    let values = vec![id.into(), SqlValue::Json(json), SqlValue::Int(expected)];
    write(conn, at, sql::UPDATE_DOCUMENT, values).await
}

/// Changes parts of a document. `None`: it is deleted, not at the expected version, or not there.
pub(crate) async fn patch(
    conn: &mut PgConnection,
    at: In<'_>,
    id: IdValue,
    changes: PatchChanges,
    expected: Option<i64>,
) -> Result<Option<i64>> {
    let expected = expected.map_or(SqlValue::Null(SqlType::Int), SqlValue::Int);
    let text = at.texts.patch(at.collection, changes.in_steps);
    write_with(conn, at, text, vec![id.into(), SqlValue::Json(changes.json), expected]).await
}

/// Writes to every document that a query finds, and says to how many.
pub(crate) async fn write_found(
    conn: &mut PgConnection,
    at: In<'_>,
    select: &'static str,
    write: FilteredWrite,
    values: Vec<SqlValue>,
) -> Result<u64> {
    let first = values.len() + 1;
    let text = at.texts.filtered(select, write, at.collection.metadata.then_some(first))?;
    // a hard deletion names no metadata
    let values = if write == FilteredWrite::Delete { arguments(values)? } else { at.arguments(values)? };
    let query = query_with(text, values);
    Ok(query.execute(conn).await.map_err(|e| of_collection(e, at.collection))?.rows_affected())
}

/// Brings a deleted document back, and returns its new version. `None`: it is not deleted, or not there.
pub(crate) async fn restore(conn: &mut PgConnection, at: In<'_>, id: IdValue) -> Result<Option<i64>> {
    write(conn, at, sql::RESTORE_DOCUMENT, vec![id.into()]).await
}

/// Runs a statement that changes one document and returns its version.
pub(super) async fn write(
    conn: &mut PgConnection,
    at: In<'_>,
    text: &'static str,
    values: Vec<SqlValue>,
) -> Result<Option<i64>> {
    write_with(conn, at, at.texts.of(text, at.collection), values).await
}

async fn write_with(conn: &mut PgConnection, at: In<'_>, text: Text, values: Vec<SqlValue>) -> Result<Option<i64>> {
    query_scalar_with(text, at.arguments(values)?)
        .fetch_optional(conn)
        .await
        .map_err(|e| of_collection(e, at.collection))
}

/// Removes a document's row, or marks it as deleted. `false`: there was nothing to do.
pub(crate) async fn delete(conn: &mut PgConnection, at: In<'_>, id: IdValue, soft: bool) -> Result<bool> {
    let (text, values) = if soft {
        (sql::SOFT_DELETE_DOCUMENT, at.arguments(vec![id.into()])?)
    } else {
        (sql::DELETE_DOCUMENT, arguments(vec![id.into()])?)
    };
    let query = query_with(at.texts.of(text, at.collection), values);
    let done = query.execute(conn).await.map_err(|e| of_collection(e, at.collection))?;
    Ok(done.rows_affected() > 0)
}

/// Reads a document: `read` gets its JSON, straight from the wire, and its version.
pub(crate) async fn get<T>(
    conn: &mut PgConnection,
    at: In<'_>,
    id: IdValue,
    read: impl FnOnce(&[u8]) -> Result<T>,
) -> Result<Option<(T, i64)>> {
    let query = query_with(at.texts.of(sql::GET_DOCUMENT, at.collection), arguments(vec![id.into()])?);
    let Some(row) = query.fetch_optional(conn).await? else { return Ok(None) };
    Ok(Some((read(jsonb(&row, 0)?)?, row.try_get(1)?)))
}

/// Reads a document, deleted or not, and all that is known of it.
pub(crate) async fn get_stored<T>(
    conn: &mut PgConnection,
    at: In<'_>,
    id: IdValue,
    read: impl FnOnce(&[u8]) -> Result<T>,
) -> Result<Option<Stored<T>>> {
    let query = query_with(at.texts.of(sql::GET_STORED, at.collection), arguments(vec![id.into()])?);
    let Some(row) = query.fetch_optional(conn).await? else { return Ok(None) };
    let mut metadata = DocMetadata::default();
    if at.collection.metadata {
        (metadata.correlation_id, metadata.causation_id) = (row.try_get(5)?, row.try_get(6)?);
        metadata.headers = row.try_get::<Option<String>, _>(7)?.map(RawJson::from_text);
        metadata.last_modified_by = row.try_get(8)?;
    }
    Ok(Some(Stored {
        document: read(jsonb(&row, 0)?)?,
        version: row.try_get(1)?,
        created_at: row.try_get(2)?,
        updated_at: row.try_get(3)?,
        deleted_at: row.try_get(4)?,
        metadata,
    }))
}

/// Reads documents in the order of `ids`; those that are not there are left out.
pub(crate) async fn get_many<T>(
    conn: &mut PgConnection,
    at: In<'_>,
    ids: SqlValue,
    read: impl Fn(&[u8]) -> Result<T>,
) -> Result<Vec<(T, i64)>> {
    let query = query_with(at.texts.of(sql::GET_DOCUMENTS, at.collection), arguments(vec![ids])?);
    let rows = query.fetch_all(conn).await?;
    rows.iter().map(|row| Ok((read(jsonb(row, 0)?)?, row.try_get(1)?))).collect()
}

/// Whether there is a document.
pub(crate) async fn exists(conn: &mut PgConnection, at: In<'_>, id: IdValue) -> Result<bool> {
    let query = query_scalar_with(at.texts.of(sql::DOCUMENT_EXISTS, at.collection), arguments(vec![id.into()])?);
    Ok(query.fetch_one(conn).await?)
}

/// How many documents there are.
pub(crate) async fn count(conn: &mut PgConnection, at: In<'_>) -> Result<i64> {
    Ok(query_scalar(at.texts.of(sql::COUNT_DOCUMENTS, at.collection)).fetch_one(conn).await?)
}

/// The version of a document, and whether it is deleted.
pub(crate) async fn state(conn: &mut PgConnection, at: In<'_>, id: IdValue) -> Result<Option<(i64, bool)>> {
    let query = query_with(at.texts.of(sql::DOCUMENT_STATE, at.collection), arguments(vec![id.into()])?);
    let Some(row) = query.fetch_optional(conn).await? else { return Ok(None) };
    Ok(Some((row.try_get(0)?, row.try_get(1)?)))
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
    let query = query_with(texts.of(text, collection), arguments(vec![batch.ids()])?);
    for row in query.fetch_all(conn).await? {
        batch.load(&id(&row, collection)?, row.try_get(1)?, jsonb(&row, 2)?)?;
    }
    Ok(())
}

/// Reads documents that a projection looks at: `found` gets each that is there and not deleted.
pub(crate) async fn look_up(
    conn: &mut PgConnection,
    texts: &Texts,
    collection: &'static Collection,
    ids: SqlValue,
    mut found: impl FnMut(&IdValue, &[u8]) -> Result<()>,
) -> Result<()> {
    let query = query_with(texts.of(sql::LOOK_UP_DOCUMENTS, collection), arguments(vec![ids])?);
    for row in query.fetch_all(conn).await? {
        found(&id(&row, collection)?, jsonb(&row, 1)?)?;
    }
    Ok(())
}

/// The id in the first column.
fn id(row: &PgRow, collection: &Collection) -> Result<IdValue> {
    Ok(match collection.id_type {
        SqlType::Uuid => IdValue::Uuid(row.try_get(0)?),
        SqlType::Int => IdValue::Int(row.try_get(0)?),
        _ => IdValue::Text(row.try_get(0)?),
    })
}

/// Writes documents that were folded in memory, of the inline projection of this name if its read model is of the version
/// that folded them. `false`: it is not, or one of them came into being meanwhile.
pub(crate) async fn write_batch(
    conn: &mut PgConnection,
    texts: &Texts,
    collection: &'static Collection,
    changes: Changes,
    inline: Option<(&str, i32)>,
) -> Result<bool> {
    let wanted = (changes.docs.len() + changes.removed_versions.len()) as u64;
    let values = vec![
        changes.ids,
        SqlValue::Texts(changes.docs),
        SqlValue::Ints(changes.versions),
        changes.removed,
        SqlValue::Ints(changes.removed_versions),
        inline.map_or(SqlValue::Null(SqlType::Text), |(name, _)| SqlValue::Text(name.to_owned())),
        inline.map_or(SqlValue::Null(SqlType::Int), |(_, version)| SqlValue::Int(version.into())),
    ];
    let query = query_with(texts.of(sql::WRITE_DOCUMENTS, collection), arguments(values)?);
    let done = query.execute(conn).await.map_err(|e| of_collection(e, collection))?;
    Ok(done.rows_affected() == wanted)
}

/// The bytes of a `jsonb` column: its version byte cut off.
pub(super) fn jsonb(row: &PgRow, column: usize) -> Result<&[u8]> {
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
