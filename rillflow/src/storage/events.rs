//! Events: append to a stream, read one, read all.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::failure::text;
use crate::Result;
use crate::model::{Appended, Event, EventEnvelope, Expected, RawJson, StreamId};
use crate::sql::{self, Texts};

/// Events on their way into one stream, checked and taken apart into columns.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) stream_id: StreamId,
    pub(crate) category: String,
    pub(crate) expected: Expected,
    ids: Vec<Uuid>,
    types: Vec<String>,
    type_versions: Vec<i32>,
    bodies: Vec<String>,
    headers: Vec<Option<String>>,
    causation_ids: Vec<Option<Uuid>>,
    correlation_ids: Vec<Option<Uuid>>,
}

impl Append {
    pub(crate) fn new(
        stream_id: StreamId,
        category: &str,
        expected: Expected,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<Self> {
        let mut append = Self {
            stream_id,
            category: category.to_owned(),
            expected,
            ids: Vec::new(),
            types: Vec::new(),
            type_versions: Vec::new(),
            bodies: Vec::new(),
            headers: Vec::new(),
            causation_ids: Vec::new(),
            correlation_ids: Vec::new(),
        };
        events.into_iter().try_for_each(|event| append.push(event))?;
        Ok(append)
    }

    fn push(&mut self, event: Event) -> Result<()> {
        self.ids.push(event.id);
        self.types.push(event.name.into_owned());
        self.type_versions.push(event.version);
        self.bodies.push(event.body?.into_text());
        self.headers.push(event.headers.transpose()?.map(RawJson::into_text));
        self.causation_ids.push(event.causation_id);
        self.correlation_ids.push(event.correlation_id);
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The events as recorded, for what runs in the same transaction.
    pub(crate) fn envelopes(&self, appended: &Appended) -> Vec<EventEnvelope> {
        let first = appended.version - self.ids.len() as i64 + 1;
        appended
            .positions
            .iter()
            .enumerate()
            .map(|(i, &global_seq)| EventEnvelope {
                global_seq,
                stream_id: self.stream_id,
                stream_seq: first + i as i64,
                event_id: self.ids[i],
                typ: self.types[i].as_str().into(),
                type_version: self.type_versions[i],
                body: RawJson::from_text(self.bodies[i].as_str()),
                headers: self.headers[i].as_deref().map(RawJson::from_text),
                causation_id: self.causation_ids[i],
                correlation_id: self.correlation_ids[i],
                created_at: appended.created_at,
            })
            .collect()
    }
}

/// Appends in one statement. `None`: the stream is not as expected, and nothing was written or drawn.
pub(crate) async fn append(conn: &mut PgConnection, texts: &Texts, append: &Append) -> Result<Option<Appended>> {
    let row = sqlx::query(texts.statement(sql::APPEND))
        .bind(append.stream_id.0)
        .bind(&append.category)
        .bind(append.expected.as_parameter())
        .bind(&append.ids)
        .bind(&append.types)
        .bind(&append.type_versions)
        .bind(&append.bodies)
        .bind(&append.headers)
        .bind(&append.causation_ids)
        .bind(&append.correlation_ids)
        .fetch_one(conn)
        .await?;
    let Some(version) = row.try_get::<Option<i64>, _>(0)? else { return Ok(None) };
    let stream_id = append.stream_id;
    Ok(Some(Appended { stream_id, version, positions: row.try_get(1)?, created_at: row.try_get(2)? }))
}

/// The version of a stream, 0 when there is none.
pub(crate) async fn stream_version(conn: &mut PgConnection, texts: &Texts, stream_id: StreamId) -> Result<i64> {
    let version: Option<i64> =
        sqlx::query_scalar(texts.statement(sql::STREAM_VERSION)).bind(stream_id.0).fetch_optional(conn).await?;
    Ok(version.unwrap_or(0))
}

/// Reads a stream forwards, after a place in it.
pub(crate) async fn read_stream(
    conn: &mut PgConnection,
    texts: &Texts,
    stream_id: StreamId,
    after: i64,
    limit: i64,
) -> Result<Vec<EventEnvelope>> {
    let query = sqlx::query(texts.statement(sql::READ_STREAM)).bind(stream_id.0).bind(after).bind(limit);
    query.fetch_all(conn).await?.iter().map(envelope).collect()
}

/// Reads events of `types` after `after`, never past `mark`, which an earlier statement computed.
pub(crate) async fn read_all(
    conn: &mut PgConnection,
    texts: &Texts,
    after: i64,
    mark: i64,
    types: Option<&[&str]>,
    limit: i64,
) -> Result<Vec<EventEnvelope>> {
    let query = match types {
        Some(types) => sqlx::query(texts.statement(sql::READ_ALL)).bind(after).bind(mark).bind(types).bind(limit),
        None => sqlx::query(texts.statement(sql::READ_ALL_TYPES)).bind(after).bind(mark).bind(limit),
    };
    query.fetch_all(conn).await?.iter().map(envelope).collect()
}

/// The id of the event at a position.
pub(crate) async fn event_at(conn: &mut PgConnection, texts: &Texts, position: i64) -> Result<Option<Uuid>> {
    Ok(sqlx::query_scalar(texts.statement(sql::EVENT_AT)).bind(position).fetch_optional(conn).await?)
}

/// A row of every statement that reads whole events.
pub(super) fn envelope(row: &PgRow) -> Result<EventEnvelope> {
    let headers: Option<&str> = row.try_get(7)?;
    Ok(EventEnvelope {
        global_seq: row.try_get(0)?,
        stream_id: StreamId(row.try_get(1)?),
        stream_seq: row.try_get(2)?,
        event_id: row.try_get(3)?,
        typ: text(row, 4)?.into(),
        type_version: row.try_get(5)?,
        body: RawJson::from_text(text(row, 6)?),
        headers: headers.map(RawJson::from_text),
        causation_id: row.try_get(8)?,
        correlation_id: row.try_get(9)?,
        created_at: row.try_get::<DateTime<Utc>, _>(10)?,
    })
}
