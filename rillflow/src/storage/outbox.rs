//! The outbox: messages published, read in their order, deleted once they were handed on.

use sqlx::postgres::PgArguments;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::ask::{query, query_scalar_with};
use super::bind::push;
use super::failure::text;
use super::subscriptions::GroupKey;
use crate::Result;
use crate::model::{Message, OutboxMessage, RawJson};
use crate::sql::{self, Texts};

/// A message on its way, checked and taken apart into columns.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    id: Uuid,
    topic: String,
    key: String,
    headers: Option<String>,
    payload: String,
    causation_id: Option<Uuid>,
    correlation_id: Option<Uuid>,
}

impl Outgoing {
    pub(crate) fn new(message: Message) -> Result<Self> {
        Ok(Self {
            id: message.id,
            topic: message.topic,
            key: message.key,
            headers: message.headers.transpose()?.map(RawJson::into_text),
            payload: message.payload?.into_text(),
            causation_id: message.causation_id,
            correlation_id: message.correlation_id,
        })
    }
}

/// The parameters of a statement that publishes.
pub(super) fn add_messages(arguments: &mut PgArguments, messages: &[&Outgoing]) -> Result<()> {
    push(arguments, messages.iter().map(|it| it.id).collect::<Vec<_>>())?;
    push(arguments, messages.iter().map(|it| it.topic.as_str()).collect::<Vec<_>>())?;
    push(arguments, messages.iter().map(|it| it.key.as_str()).collect::<Vec<_>>())?;
    push(arguments, messages.iter().map(|it| it.headers.as_deref()).collect::<Vec<_>>())?;
    push(arguments, messages.iter().map(|it| it.payload.as_str()).collect::<Vec<_>>())?;
    push(arguments, messages.iter().map(|it| it.causation_id).collect::<Vec<_>>())?;
    push(arguments, messages.iter().map(|it| it.correlation_id).collect::<Vec<_>>())
}

/// Publishes messages, and says at which positions, in the order given.
pub(crate) async fn publish(conn: &mut PgConnection, texts: &Texts, messages: &[Outgoing]) -> Result<Vec<i64>> {
    let mut arguments = PgArguments::default();
    add_messages(&mut arguments, &messages.iter().collect::<Vec<_>>())?;
    let mut positions: Vec<i64> = query_scalar_with(texts.statement(sql::PUBLISH), arguments).fetch_all(conn).await?;
    positions.sort_unstable(); // drawn in the order given, returned in any
    Ok(positions)
}

/// Reads messages after a position, never past `mark`, which an earlier statement computed.
pub(crate) async fn read(
    conn: &mut PgConnection,
    texts: &Texts,
    after: i64,
    mark: i64,
    limit: i64,
) -> Result<Vec<OutboxMessage>> {
    let query = query(texts.statement(sql::READ_OUTBOX)).bind(after).bind(mark).bind(limit);
    let rows = query.fetch_all(conn).await?;
    let message = |row: &sqlx::postgres::PgRow| {
        Ok(OutboxMessage {
            position: row.try_get(0)?,
            message_id: row.try_get(1)?,
            topic: row.try_get(2)?,
            key: row.try_get(3)?,
            headers: row.try_get::<Option<&str>, _>(4)?.map(RawJson::from_text),
            payload: RawJson::from_text(text(row, 5)?),
            causation_id: row.try_get(6)?,
            correlation_id: row.try_get(7)?,
            created_at: row.try_get(8)?,
        })
    };
    rows.iter().map(message).collect()
}

/// Deletes the messages up to a position, which must not be past a mark that was computed; says how many.
pub(crate) async fn delete_up_to(conn: &mut PgConnection, texts: &Texts, position: i64) -> Result<u64> {
    let query = query(texts.statement(sql::DELETE_OUTBOX)).bind(position);
    Ok(query.execute(conn).await?.rows_affected())
}

/// Deletes the messages that a group has handed on; says how many.
pub(crate) async fn delete_relayed(conn: &mut PgConnection, texts: &Texts, key: &GroupKey) -> Result<u64> {
    let query = query(texts.statement(sql::DELETE_RELAYED)).bind(&key.subscription).bind(&key.group);
    Ok(query.execute(conn).await?.rows_affected())
}
