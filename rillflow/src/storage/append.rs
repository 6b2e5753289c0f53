//! Appends: one event in its own form, or any number for any number of streams.

mod each;

use std::collections::BTreeSet;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::ask::{query, query_with};
use super::bind::push;
use super::failure::text;
use super::outbox::{Outgoing, add_messages};
use super::tags::alternatives;
use crate::model::traceparent::with_traceparent;
use crate::model::{
    AppendOptions, Appended, Event, EventEnvelope, Expected, Message, RawJson, StreamId, Tag, TagCondition,
    array_literal,
};
use crate::sql::appends::{Tags, With, appends as text_for};
use crate::sql::{self, Texts};
use crate::{Error, Result};

/// Events on their way into one stream, checked and taken apart into columns.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) stream_id: StreamId,
    pub(crate) category: String,
    pub(crate) expected: Expected,
    pub(crate) key: Option<Key>,
    pub(crate) events: Vec<Column>,
    /// Published with the events, once.
    pub(crate) messages: Vec<Outgoing>,
    /// What must still hold.
    pub(crate) condition: Option<TagCondition>,
}

/// An idempotency key, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) scope: String,
    pub(crate) key: String,
    fingerprint: Uuid,
}

/// One event, as its columns take it.
#[derive(Debug)]
pub(crate) struct Column {
    id: Uuid,
    typ: String,
    type_version: i32,
    body: String,
    headers: Option<String>,
    causation_id: Option<Uuid>,
    correlation_id: Option<Uuid>,
    tags: Vec<Tag>,
}

/// What became of one append.
#[derive(Debug)]
pub(crate) enum Outcome {
    Appended(Appended),
    /// The stream is not as expected; nothing was written or drawn.
    NotAsExpected,
    /// The key stands for other events; nothing was written.
    OtherEvents,
}

impl Append {
    pub(crate) fn new(
        stream_id: StreamId,
        category: &str,
        expected: Expected,
        options: &AppendOptions,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<Self> {
        let events = options.complete(events.into_iter())?.map(Column::new).collect::<Result<Vec<_>>>()?;
        let scope = || match &options.idempotency_scope {
            Some(scope) => format!("scope {scope}"),
            None => format!("stream {stream_id}"),
        };
        let fingerprint = || fingerprint(stream_id, &events);
        let key = options.idempotency_key.clone();
        let key = key.map(|key| Key { scope: scope(), key, fingerprint: fingerprint() });
        Ok(Self {
            stream_id,
            category: category.to_owned(),
            expected,
            key,
            events,
            messages: Vec::new(),
            condition: None,
        })
    }

    /// Adds messages that are published with the events.
    pub(crate) fn publish(&mut self, options: &AppendOptions, messages: Vec<Message>) -> Result<()> {
        for message in messages {
            self.messages.push(Outgoing::new(options.complete_message(message))?);
        }
        Ok(())
    }

    /// Gives every event a trace context that has none.
    pub(crate) fn carry(&mut self, traceparent: &str) {
        for event in &mut self.events {
            if let Some(headers) = with_traceparent(event.headers.as_deref(), traceparent) {
                event.headers = Some(headers);
            }
        }
    }

    /// The correlation ids of the events that have one, with the events' names.
    pub(crate) fn correlated(&self) -> impl Iterator<Item = (Uuid, &str)> {
        self.events.iter().filter_map(|event| Some((event.correlation_id?, event.typ.as_str())))
    }

    /// The events as recorded, for what runs in the same transaction.
    pub(crate) fn envelopes(&self, appended: &Appended) -> Vec<EventEnvelope> {
        let first = appended.version - self.events.len() as i64 + 1;
        let numbered = self.events.iter().zip(&appended.positions).zip(first..);
        numbered
            .map(|((event, &global_seq), stream_seq)| EventEnvelope {
                global_seq,
                stream_id: self.stream_id,
                stream_seq,
                event_id: event.id,
                typ: event.typ.as_str().into(),
                type_version: event.type_version,
                body: RawJson::from_text(event.body.as_str()),
                headers: event.headers.as_deref().map(RawJson::from_text),
                causation_id: event.causation_id,
                correlation_id: event.correlation_id,
                created_at: appended.created_at,
            })
            .collect()
    }

    /// Whether it is nothing but its events, without tags.
    fn is_plain(&self) -> bool {
        self.key.is_none() && self.stands_for_itself() && self.tags() == 0
    }

    /// Whether it may go together with others: not with messages, which must not outlive a loser, nor on a condition,
    /// which ends the statement when it does not hold.
    pub(crate) fn stands_for_itself(&self) -> bool {
        self.messages.is_empty() && self.condition.is_none()
    }

    /// How many tags its events carry together.
    pub(crate) fn tags(&self) -> usize {
        self.events.iter().map(|event| event.tags.len()).sum()
    }

    /// The stored form of each event: name, version, JSON.
    pub(crate) fn stored(&self) -> impl Iterator<Item = (&str, i32, &[u8])> {
        self.events.iter().map(|event| (event.typ.as_str(), event.type_version, event.body.as_bytes()))
    }

    /// How much it weighs in a batch.
    pub(crate) fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.body.len() + event.headers.as_ref().map_or(0, String::len)).sum()
    }
}

impl Column {
    fn new(event: Event) -> Result<Self> {
        event.tags.iter().try_for_each(Tag::check)?;
        Ok(Self {
            id: event.id,
            typ: event.name.into_owned(),
            type_version: event.version,
            body: event.body?.into_text(),
            headers: event.headers.transpose()?.map(RawJson::into_text),
            causation_id: event.causation_id,
            correlation_id: event.correlation_id,
            tags: event.tags,
        })
    }
}

/// What tells one append from another under the same key: FNV-1a over the stream and the events' types and bodies.
fn fingerprint(stream_id: StreamId, events: &[Column]) -> Uuid {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let mut add = |bytes: &[u8]| {
        for byte in bytes.iter().chain(&[0xff]) {
            hash = (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    };
    add(stream_id.0.as_bytes());
    for event in events {
        add(event.typ.as_bytes());
        add(&event.type_version.to_be_bytes());
        add(event.body.as_bytes());
    }
    Uuid::from_u128(hash)
}

/// Appends in one statement.
pub(crate) async fn append(conn: &mut PgConnection, texts: &Texts, append: &Append) -> Result<Outcome> {
    match append.events.as_slice() {
        [event] if append.is_plain() => append_one(conn, texts, append, event).await,
        _ => {
            let mut outcomes = append_many(conn, texts, &[append], None).await?;
            Ok(outcomes.pop().unwrap_or(Outcome::NotAsExpected))
        }
    }
}

async fn append_one(conn: &mut PgConnection, texts: &Texts, append: &Append, event: &Column) -> Result<Outcome> {
    let text = if append.expected.admits(0) { sql::APPEND_BEGIN } else { sql::APPEND_NEXT };
    let row = query(texts.statement(text))
        .bind(append.stream_id.0)
        .bind(&append.category)
        .bind(append.expected.as_parameter())
        .bind(event.id)
        .bind(&event.typ)
        .bind(event.type_version)
        .bind(&event.body)
        .bind(&event.headers)
        .bind(event.causation_id)
        .bind(event.correlation_id)
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(Outcome::NotAsExpected) };
    Ok(Outcome::Appended(Appended {
        stream_id: append.stream_id,
        version: row.try_get(0)?,
        positions: vec![row.try_get(1)?],
        created_at: row.try_get(2)?,
        repeated: false,
    }))
}

/// Appends to several streams in one statement, each for itself; an outcome each, in the order given.
///
/// No two may be for one stream, and one that does not stand for itself must be the only one. `wait` bounds the wait for a stream that somebody else holds.
pub(crate) async fn append_many(
    conn: &mut PgConnection,
    texts: &Texts,
    appends: &[&Append],
    wait: Option<&str>,
) -> Result<Vec<Outcome>> {
    let mut order: Vec<usize> = (0..appends.len()).collect();
    order.sort_by_key(|&i| appends[i].stream_id);
    let sorted: Vec<&Append> = order.iter().map(|&i| appends[i]).collect();
    let done = match (wait, each::events(&sorted)) {
        (Some(wait), Some(events)) => each::append(conn, texts, &sorted, &events, wait).await?,
        _ => append_any(conn, texts, &sorted, wait).await?,
    };
    let mut outcomes: Vec<(usize, Outcome)> = order.into_iter().zip(done).collect();
    outcomes.sort_by_key(|(at, _)| *at);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// Appends any number of events to each stream, sorted by stream, with whatever goes beside them.
async fn append_any(
    conn: &mut PgConnection,
    texts: &Texts,
    sorted: &[&Append],
    wait: Option<&str>,
) -> Result<Vec<Outcome>> {
    let mut arguments = append_arguments(sorted, wait)?;
    let messages: Vec<_> = sorted.iter().flat_map(|append| &append.messages).collect();
    let condition = sorted.iter().find_map(|append| append.condition.as_ref());
    let with = add_beside(&mut arguments, sorted, condition, &messages)?;
    let rows = query_with(text_for(texts, with), arguments).fetch_all(conn).await?;
    sorted.iter().zip(&rows).map(|(append, row)| outcome(append.stream_id, row, 0)).collect()
}

/// The parameters of the statement for several streams.
pub(super) fn append_arguments(appends: &[&Append], wait: Option<&str>) -> Result<PgArguments> {
    let streams = || appends.iter();
    let events = || appends.iter().flat_map(|append| &append.events);
    let key = |take: fn(&Key) -> &String| streams().map(|a| a.key.as_ref().map(take)).collect::<Vec<_>>();
    let numbers = streams().zip(1_i64..).flat_map(|(append, number)| append.events.iter().map(move |_| number));
    let places = streams().flat_map(|append| (1_i64..).zip(&append.events).map(|(place, _)| place));
    let mut arguments = PgArguments::default();
    let it = &mut arguments;
    push(it, streams().map(|a| a.stream_id.0).collect::<Vec<_>>())?;
    push(it, streams().map(|a| a.category.as_str()).collect::<Vec<_>>())?;
    push(it, streams().map(|a| a.expected.as_parameter()).collect::<Vec<_>>())?;
    push(it, streams().map(|a| a.events.len() as i64).collect::<Vec<_>>())?;
    push(it, key(|key| &key.scope))?;
    push(it, key(|key| &key.key))?;
    push(it, streams().map(|a| a.key.as_ref().map(|key| key.fingerprint)).collect::<Vec<_>>())?;
    push(it, numbers.collect::<Vec<_>>())?;
    push(it, places.collect::<Vec<_>>())?;
    push(it, events().map(|e| e.id).collect::<Vec<_>>())?;
    push(it, events().map(|e| e.typ.as_str()).collect::<Vec<_>>())?;
    push(it, events().map(|e| e.type_version).collect::<Vec<_>>())?;
    push(it, events().map(|e| e.body.as_str()).collect::<Vec<_>>())?;
    push(it, events().map(|e| e.headers.as_deref()).collect::<Vec<_>>())?;
    push(it, events().map(|e| e.causation_id).collect::<Vec<_>>())?;
    push(it, events().map(|e| e.correlation_id).collect::<Vec<_>>())?;
    push(it, wait)?;
    Ok(arguments)
}

/// The parameters of what goes beside the appends, and which parts of the statement take them.
pub(super) fn add_beside(
    arguments: &mut PgArguments,
    appends: &[&Append],
    condition: Option<&TagCondition>,
    messages: &[&Outgoing],
) -> Result<With> {
    let tags = match condition {
        Some(_) => Tags::Required,
        None if appends.iter().any(|append| append.tags() > 0) => Tags::Written,
        None => Tags::None,
    };
    if tags != Tags::None {
        let events = || appends.iter().flat_map(|append| &append.events);
        push(arguments, events().map(|it| literal(&it.tags)).collect::<Vec<_>>())?;
        let all: BTreeSet<String> = events().flat_map(|it| &it.tags).map(ToString::to_string).collect();
        push(arguments, all.into_iter().collect::<Vec<_>>())?;
    }
    if let Some(TagCondition { query, types, after, seen }) = condition {
        push(arguments, alternatives(query))?;
        push(arguments, types)?;
        push(arguments, *after)?;
        push(arguments, seen)?;
    }
    if !messages.is_empty() {
        add_messages(arguments, messages)?;
    }
    Ok(With { tags, messages: !messages.is_empty() })
}

fn literal(tags: &[Tag]) -> Option<String> {
    if tags.is_empty() { None } else { Some(array_literal(tags)) }
}

/// What a row of that statement says, its columns from `first` on.
pub(super) fn outcome(stream_id: StreamId, row: &PgRow, first: usize) -> Result<Outcome> {
    let repeated: Option<bool> = row.try_get(first + 3)?;
    if repeated == Some(false) {
        return Ok(Outcome::OtherEvents);
    }
    let Some(version) = row.try_get(first)? else { return Ok(Outcome::NotAsExpected) };
    let (positions, created_at) = (row.try_get(first + 1)?, row.try_get(first + 2)?);
    Ok(Outcome::Appended(Appended { stream_id, version, positions, created_at, repeated: repeated.is_some() }))
}

/// What the ids of an append's events stand for.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing in this stream.
    Nothing,
    /// An earlier append of the same events.
    Same(Appended),
    /// Other events, or not all of them.
    Other,
}

/// Looks for an earlier append of the same events by the same ids.
pub(crate) async fn find(conn: &mut PgConnection, texts: &Texts, append: &Append) -> Result<Found> {
    let ids: Vec<_> = append.events.iter().map(|event| event.id).collect();
    let query = query(texts.statement(sql::FIND_APPENDED)).bind(append.stream_id.0).bind(ids);
    let rows = query.fetch_all(conn).await?;
    let Some(last) = rows.last() else { return Ok(Found::Nothing) };
    let mut found = Appended {
        stream_id: append.stream_id,
        version: last.try_get(1)?,
        positions: Vec::with_capacity(rows.len()),
        created_at: last.try_get(6)?,
        repeated: true,
    };
    let mut same = rows.len() == append.events.len();
    for (row, event) in rows.iter().zip(&append.events) {
        same &= row.try_get::<Uuid, _>(0)? == event.id
            && text(row, 3)? == event.typ
            && row.try_get::<i32, _>(4)? == event.type_version
            && text(row, 5)? == event.body;
        found.positions.push(row.try_get(2)?);
    }
    Ok(if same { Found::Same(found) } else { Found::Other })
}

/// Waits until nobody else who asks for it appends to the stream, until the transaction ends.
pub(crate) async fn lock(conn: &mut PgConnection, texts: &Texts, stream_id: StreamId) -> Result<()> {
    query(texts.statement(sql::LOCK_STREAM)).bind(stream_id.0).execute(conn).await?;
    Ok(())
}

/// Forgets idempotency keys of a certain age, and says how many.
pub(crate) async fn forget_keys(conn: &mut PgConnection, texts: &Texts, age: std::time::Duration) -> Result<u64> {
    let query = query(texts.statement(sql::FORGET_KEYS)).bind(age.as_secs_f64());
    Ok(query.execute(conn).await?.rows_affected())
}

/// The error for a key, or for event ids, that stand for other events.
pub(crate) fn other_events(append: &Append) -> Error {
    Error::IdempotencyConflict {
        stream_id: append.stream_id,
        key: append.key.as_ref().map_or_else(|| "the ids of the events".to_owned(), |key| format!("key `{}`", key.key)),
    }
}
