//! Dead letters: events that a projection failed on, and those that wait behind them.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::ask::{query, query_as, query_scalar};
use super::events::envelope;
use super::failure::text;
use crate::Result;
use crate::model::{EventEnvelope, RawJson};
use crate::sql::{self, Texts};

/// The longest error that is kept, in characters.
const LONGEST: usize = 4000;

/// A letter to be written with a batch.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Letter {
    pub(crate) position: i64,
    pub(crate) event_id: Uuid,
    pub(crate) keys: Vec<String>,
    /// `None`: it waits.
    pub(crate) error: Option<String>,
    pub(crate) attempts: u32,
}

/// An event that a projection set aside.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadLetter {
    /// What requeueing and deleting take.
    pub id: i64,
    /// The projection.
    pub projection: String,
    /// The event's position.
    pub position: i64,
    /// The event's id.
    pub event_id: Uuid,
    /// What the event changes, by which later events wait behind it.
    pub keys: Vec<String>,
    /// Why it failed; `None` when it only waits behind one that did.
    pub error: Option<String>,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was set aside.
    pub created_at: DateTime<Utc>,
    /// When it was tried last.
    pub updated_at: DateTime<Utc>,
    /// The event's stored name; `None` when its stream was deleted meanwhile.
    pub event_type: Option<String>,
    /// The event's payload, from the log; `None` when its stream was deleted meanwhile.
    pub payload: Option<RawJson>,
}

/// Text that PostgreSQL stores.
pub(crate) fn storable(error: &str) -> String {
    error.chars().filter(|&c| c != '\0').take(LONGEST).collect()
}

/// The keys whose events wait.
pub(crate) async fn parked_keys(conn: &mut PgConnection, texts: &Texts, projection: &str) -> Result<Vec<String>> {
    Ok(query_scalar(texts.statement(sql::PARKED_KEYS)).bind(projection).fetch_all(conn).await?)
}

/// The letters of a projection after a position, in their order.
pub(crate) async fn list(
    conn: &mut PgConnection,
    texts: &Texts,
    projection: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<DeadLetter>> {
    let query = query(texts.statement(sql::DEAD_LETTERS)).bind(projection).bind(after).bind(limit);
    query.fetch_all(conn).await?.iter().map(|row| letter(row, projection)).collect()
}

fn letter(row: &PgRow, projection: &str) -> Result<DeadLetter> {
    let event_type: Option<String> = row.try_get(8)?;
    let payload = event_type.is_some().then(|| text(row, 9).map(RawJson::from_text)).transpose()?;
    Ok(DeadLetter {
        id: row.try_get(0)?,
        projection: projection.to_owned(),
        position: row.try_get(1)?,
        event_id: row.try_get(2)?,
        keys: row.try_get(3)?,
        error: row.try_get(4)?,
        attempts: row.try_get(5)?,
        created_at: row.try_get(6)?,
        updated_at: row.try_get(7)?,
        event_type,
        payload,
    })
}

/// What is taken up together.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Letters<'k> {
    /// One letter.
    One(i64),
    /// All of a key.
    OfKey(&'k str),
}

/// The ids of these letters, and where events wait behind others of all that belong to them, in their order.
pub(crate) async fn together(
    conn: &mut PgConnection,
    texts: &Texts,
    projection: &str,
    letters: Letters<'_>,
    parks: bool,
) -> Result<Vec<i64>> {
    let (id, key) = match letters {
        Letters::One(id) => (Some(id), None),
        Letters::OfKey(key) => (None, Some(key)),
    };
    let query = query_as(texts.statement(sql::LETTERS_OF_KEY)).bind(projection).bind(id).bind(key).bind(parks);
    let found: Vec<(i64, i64)> = query.fetch_all(conn).await?;
    Ok(found.into_iter().map(|(id, _position)| id).collect())
}

/// The event of a letter; `None` when its stream was deleted.
pub(crate) async fn event(conn: &mut PgConnection, texts: &Texts, id: i64) -> Result<Option<EventEnvelope>> {
    let query = query(texts.statement(sql::LETTER_EVENT)).bind(id);
    query.fetch_optional(conn).await?.as_ref().map(envelope).transpose()
}

/// Notes that a letter failed once more.
pub(crate) async fn failed_again(conn: &mut PgConnection, texts: &Texts, id: i64, error: &str) -> Result<()> {
    query(texts.statement(sql::NOTE_LETTER)).bind(id).bind(error).execute(conn).await?;
    Ok(())
}

/// Removes a letter. `false`: there is none.
pub(crate) async fn delete(conn: &mut PgConnection, texts: &Texts, projection: &str, id: i64) -> Result<bool> {
    let query = query(texts.statement(sql::DELETE_LETTER)).bind(projection).bind(id);
    Ok(query.fetch_optional(conn).await?.is_some())
}
