//! Events out of the line: those that are to be tried again, and those that wait behind them.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{Ack, GroupKey, Source};
use crate::Result;
use crate::model::EventEnvelope;
use crate::sql::{self, Texts};
use crate::storage::ask::{query, query_scalar};
use crate::storage::events::envelope;
use crate::storage::failure::refusal_of_ack;

/// An event that cannot be done now.
#[derive(Clone, Debug)]
pub(crate) struct Nack<'a> {
    pub(crate) ack: Ack,
    pub(crate) position: i64,
    pub(crate) stream_id: Uuid,
    pub(crate) in_line: bool,
    pub(crate) pause: Duration,
    pub(crate) most: i32,
    pub(crate) reason: &'a str,
    /// How often it was tried since it was taken.
    pub(crate) tries: i32,
}

/// Events of a partition that are to wait out of the line.
#[derive(Clone, Debug)]
pub(crate) struct SetAside {
    /// Acknowledges those that stand in the line.
    pub(crate) ack: Ack,
    pub(crate) events: Vec<Aside>,
}

/// An event that is to wait out of the line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aside {
    pub(crate) position: i64,
    pub(crate) stream_id: Uuid,
    /// How often it was tried since it was taken.
    pub(crate) tries: i32,
    pub(crate) pause: Duration,
    pub(crate) reason: Option<String>,
    pub(crate) suspect: bool,
}

/// An event that waited long enough.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    pub(crate) partition: i32,
    pub(crate) position: i64,
    /// How often it was tried.
    pub(crate) attempts: i32,
    pub(crate) suspect: bool,
}

/// What a partition has out of the line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ahead {
    pub(crate) partition: i32,
    pub(crate) any: bool,
    /// When the next of it is due.
    pub(crate) next: Option<Duration>,
}

/// Takes an event out of the line. Returns how often it was tried; 0 when it is a dead letter now.
pub(crate) async fn nack(conn: &mut PgConnection, texts: &Texts, key: &GroupKey, nack: &Nack<'_>) -> Result<i32> {
    let query = query_scalar(texts.statement(sql::NACK_SUBSCRIPTION))
        .bind(&key.subscription)
        .bind(&key.group)
        .bind(nack.ack.partition)
        .bind(nack.ack.token)
        .bind(nack.position)
        .bind(nack.stream_id)
        .bind(nack.in_line)
        .bind(&nack.ack.open)
        .bind(nack.ack.reached)
        .bind(nack.pause.as_secs_f64())
        .bind(nack.most)
        .bind(nack.reason)
        .bind(nack.tries);
    query.fetch_one(conn).await.map_err(|e| refusal_of_ack(e, &key.subscription, Some(nack.position)))
}

/// Takes events out of the line, behind the first of their stream.
pub(crate) async fn set_aside(conn: &mut PgConnection, texts: &Texts, key: &GroupKey, aside: &SetAside) -> Result<()> {
    let events = &aside.events;
    let query = query(texts.statement(sql::SET_ASIDE))
        .bind(&key.subscription)
        .bind(&key.group)
        .bind(aside.ack.partition)
        .bind(aside.ack.token)
        .bind(events.iter().map(|it| it.position).collect::<Vec<_>>())
        .bind(events.iter().map(|it| it.stream_id).collect::<Vec<_>>())
        .bind(events.iter().map(|it| it.tries).collect::<Vec<_>>())
        .bind(events.iter().map(|it| it.pause.as_secs_f64()).collect::<Vec<_>>())
        .bind(events.iter().map(|it| it.reason.as_deref()).collect::<Vec<_>>())
        .bind(events.iter().map(|it| it.suspect).collect::<Vec<_>>())
        .bind(&aside.ack.acked)
        .bind(&aside.ack.open)
        .bind(aside.ack.reached);
    let position = events.first().map(|it| it.position);
    query.execute(conn).await.map_err(|e| refusal_of_ack(e, &key.subscription, position))?;
    Ok(())
}

/// Takes up what was out of the line when these partitions were taken over; by number and token.
pub(crate) async fn recover(
    conn: &mut PgConnection,
    texts: &Texts,
    key: &GroupKey,
    held: &[(i32, i64)],
    most: i32,
) -> Result<()> {
    let (partitions, tokens): (Vec<_>, Vec<_>) = held.iter().copied().unzip();
    let query = query(texts.statement(sql::RECOVER_RETRIES))
        .bind(&key.subscription)
        .bind(&key.group)
        .bind(partitions)
        .bind(tokens)
        .bind(most);
    query.execute(conn).await?;
    Ok(())
}

/// What partitions, by number and token, have out of the line.
pub(crate) async fn ahead(
    conn: &mut PgConnection,
    texts: &Texts,
    key: &GroupKey,
    held: &[(i32, i64)],
) -> Result<Vec<Ahead>> {
    let (partitions, tokens): (Vec<_>, Vec<_>) = held.iter().copied().unzip();
    let query = query(texts.statement(sql::RETRIES_AHEAD))
        .bind(&key.subscription)
        .bind(&key.group)
        .bind(partitions)
        .bind(tokens);
    let ahead = |row: &PgRow| {
        let next = row.try_get::<Option<f64>, _>(2)?.map(|it| Duration::try_from_secs_f64(it).unwrap_or(Duration::MAX));
        Ok(Ahead { partition: row.try_get(0)?, any: row.try_get(1)?, next })
    };
    query.fetch_all(conn).await?.iter().map(ahead).collect()
}

/// Takes in hand what waited long enough in partitions, by number and token; no more than one suspect, if any.
pub(crate) async fn due(
    conn: &mut PgConnection,
    texts: &Texts,
    key: &GroupKey,
    held: &[(i32, i64)],
    limit: i64,
    suspects: bool,
) -> Result<Vec<Due>> {
    let (partitions, tokens): (Vec<_>, Vec<_>) = held.iter().copied().unzip();
    let query = query(texts.statement(sql::DUE_RETRIES))
        .bind(&key.subscription)
        .bind(&key.group)
        .bind(partitions)
        .bind(tokens)
        .bind(limit)
        .bind(suspects);
    let due = |row: &PgRow| {
        let (partition, position) = (row.try_get(0)?, row.try_get(1)?);
        Ok(Due { partition, position, attempts: row.try_get(2)?, suspect: row.try_get(3)? })
    };
    query.fetch_all(conn).await?.iter().map(due).collect()
}

/// Reads single events.
pub(crate) async fn read_positions(
    conn: &mut PgConnection,
    texts: &Texts,
    source: &Source,
    positions: &[i64],
) -> Result<Vec<EventEnvelope>> {
    let text = match source {
        Source::Events(_) => sql::READ_POSITIONS,
        Source::Outbox { .. } => sql::READ_OUTBOX_POSITIONS,
    };
    let query = query(texts.statement(text)).bind(positions);
    query.fetch_all(conn).await?.iter().map(envelope).collect()
}

/// Which of some events are still out of the line.
pub(crate) async fn left(
    conn: &mut PgConnection,
    texts: &Texts,
    key: &GroupKey,
    positions: &[i64],
) -> Result<Vec<i64>> {
    let query =
        query_scalar(texts.statement(sql::RETRIES_LEFT)).bind(&key.subscription).bind(&key.group).bind(positions);
    Ok(query.fetch_all(conn).await?)
}

/// Which of some streams have events out of the line.
pub(crate) async fn streams_aside(
    conn: &mut PgConnection,
    texts: &Texts,
    key: &GroupKey,
    streams: &[Uuid],
) -> Result<Vec<Uuid>> {
    let query =
        query_scalar(texts.statement(sql::STREAMS_SET_ASIDE)).bind(&key.subscription).bind(&key.group).bind(streams);
    Ok(query.fetch_all(conn).await?)
}

/// Forgets what cannot be tried again; what waits behind it goes on.
pub(crate) async fn drop_retries(
    conn: &mut PgConnection,
    texts: &Texts,
    key: &GroupKey,
    positions: &[i64],
) -> Result<()> {
    let dropped =
        query_scalar(texts.statement(sql::DROP_RETRIES)).bind(&key.subscription).bind(&key.group).bind(positions);
    let streams: Vec<Uuid> = dropped.fetch_all(&mut *conn).await?;
    let promote = query(texts.statement(sql::PROMOTE_RETRIES)).bind(&key.subscription).bind(&key.group).bind(streams);
    promote.execute(conn).await?;
    Ok(())
}
