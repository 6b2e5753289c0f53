//! Documents by COPY: rows in PostgreSQL's binary form, into a collection or into a table beside it.

use sqlx::PgConnection;
use sqlx::postgres::PgCopyIn;

use super::ask::{query, query_scalar};
use super::documents::In;
use super::failure::of_collection;
use crate::Result;
use crate::model::IdValue;
use crate::sql;

/// How many bytes are gathered before they are sent.
const CHUNK: usize = 256 * 1024;

/// Documents on their way.
pub(crate) struct Copy<'c> {
    copy: PgCopyIn<&'c mut PgConnection>,
    at: In<'c>,
    rows: Vec<u8>,
    staged: bool,
    /// How many were added.
    pub(crate) count: u64,
}

/// Begins to store new documents; `staged` sends them to the table that [`stage`] makes.
pub(crate) async fn copy<'c>(conn: &'c mut PgConnection, at: In<'c>, staged: bool) -> Result<Copy<'c>> {
    let text = at.texts.of(if staged { sql::COPY_STAGED } else { sql::COPY_DOCUMENTS }, at.collection);
    let copy = conn.copy_in_raw(text.as_str()).await?;
    let mut rows = Vec::with_capacity(CHUNK + CHUNK / 4);
    rows.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    Ok(Copy { copy, at, rows, staged, count: 0 })
}

impl Copy<'_> {
    /// Adds a document. `true`: there is enough to [`send`](Self::send).
    pub(crate) fn add(&mut self, id: &IdValue, json: &str) -> bool {
        self.rows.extend_from_slice(if self.staged { &[0, 3] } else { &[0, 2] });
        match id {
            IdValue::Uuid(id) => self.field(&[], id.as_bytes()),
            IdValue::Int(id) => self.field(&[], &id.to_be_bytes()),
            IdValue::Text(id) => self.field(&[], id.as_bytes()),
        }
        self.field(&[1], json.as_bytes()); // jsonb travels as its version and its text
        if self.staged {
            let place = self.count.to_be_bytes();
            self.field(&[], &place);
        }
        self.count += 1;
        self.rows.len() >= CHUNK
    }

    /// A field: its length, and its bytes in two parts. What is longer than a length can say was refused before.
    fn field(&mut self, head: &[u8], tail: &[u8]) {
        let length = (head.len() + tail.len()) as i32;
        self.rows.extend_from_slice(&length.to_be_bytes());
        self.rows.extend_from_slice(head);
        self.rows.extend_from_slice(tail);
    }

    /// Sends what was added so far.
    pub(crate) async fn send(&mut self) -> Result<()> {
        self.copy.send(&self.rows[..]).await?;
        self.rows.clear();
        Ok(())
    }

    /// Sends the rest, and returns how many rows PostgreSQL took.
    pub(crate) async fn finish(mut self) -> Result<u64> {
        self.rows.extend_from_slice(&(-1_i16).to_be_bytes());
        self.send().await?;
        self.copy.finish().await.map_err(|e| of_collection(e, self.at.collection))
    }
}

/// Makes the table beside the collection, until the transaction ends.
pub(crate) async fn stage(conn: &mut PgConnection, at: In<'_>) -> Result<()> {
    query(at.texts.of(sql::STAGE_DOCUMENTS, at.collection)).execute(conn).await?;
    Ok(())
}

/// Stores what was staged, over what is there or beside it, and returns how many documents were written.
pub(crate) async fn store_staged(conn: &mut PgConnection, at: In<'_>, overwrite: bool) -> Result<u64> {
    let text = at.texts.of(if overwrite { sql::PUT_STAGED } else { sql::INSERT_STAGED }, at.collection);
    // the staged table is a new one each time: a plan that was kept would name an old one
    let done = query(text).persistent(false).execute(conn).await;
    Ok(done.map_err(|e| of_collection(e, at.collection))?.rows_affected())
}

/// A staged document that was not stored, as its id was taken.
pub(crate) async fn taken_staged(conn: &mut PgConnection, at: In<'_>) -> Result<Option<String>> {
    let text = at.texts.of(sql::TAKEN_STAGED, at.collection);
    Ok(query_scalar(text).persistent(false).fetch_one(conn).await?)
}

/// A staged document that could not be overwritten because it is deleted.
pub(crate) async fn deleted_staged(conn: &mut PgConnection, at: In<'_>) -> Result<Option<String>> {
    let text = at.texts.of(sql::DELETED_STAGED, at.collection);
    Ok(query_scalar(text).persistent(false).fetch_optional(conn).await?)
}
