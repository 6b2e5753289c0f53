//! Subscriptions: members and their partitions, acknowledgements, and the events to deliver.

mod admin;

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::events::envelope;
use super::failure::refusal_of_ack;
use crate::Result;
use crate::model::{EventEnvelope, SubscriptionFilter};
use crate::sql::{self, Texts};

pub(crate) use admin::*;

/// A group of a subscription. Those who name none are the group ``.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupKey {
    pub(crate) subscription: String,
    pub(crate) group: String,
}

/// A member to keep alive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tended {
    pub(crate) key: GroupKey,
    pub(crate) member: Uuid,
    pub(crate) ttl: Duration,
}

/// What a member owns, and how much of it is its share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holding {
    pub(crate) share: usize,
    pub(crate) partitions: Vec<Partition>,
}

/// A partition as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Partition {
    pub(crate) number: i32,
    pub(crate) token: i64,
    pub(crate) position: i64,
    pub(crate) acked: Vec<i64>,
    /// The last event done, by position and id.
    pub(crate) last: Option<(i64, Uuid)>,
}

/// Events of a partition that are done, and what its owner knows of the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ack {
    pub(crate) partition: i32,
    pub(crate) token: i64,
    /// Done, in the line.
    pub(crate) acked: Vec<i64>,
    /// Done, out of it.
    pub(crate) retried: Vec<i64>,
    /// The lowest of the line that are not known to be done.
    pub(crate) open: Vec<i64>,
    /// When none of those is open either, everything up to here is done.
    pub(crate) reached: i64,
    /// The last of those done, by position and id.
    pub(crate) last: Option<(i64, Uuid)>,
}

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
}

/// How far a partition is after an acknowledgement.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    pub(crate) position: i64,
    pub(crate) acked: Vec<i64>,
}

/// An event that waits to be tried again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    pub(crate) partition: i32,
    pub(crate) position: i64,
    pub(crate) stream_id: Uuid,
    pub(crate) after: Duration,
}

/// Which part of the log to read, for which partitions.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) after: i64,
    pub(crate) until: i64,
    pub(crate) limit: i64,
    /// How many partitions there are.
    pub(crate) of: i32,
    pub(crate) partitions: Vec<i32>,
}

/// Keeps members alive, and hands partitions out. No entry for a member: its group is gone.
pub(crate) async fn tend(
    conn: &mut PgConnection,
    texts: &Texts,
    members: &[Tended],
) -> Result<std::collections::HashMap<Uuid, Holding>> {
    let query = sqlx::query(texts.statement(sql::TEND_MEMBERS))
        .bind(members.iter().map(|it| it.member).collect::<Vec<_>>())
        .bind(members.iter().map(|it| it.key.subscription.as_str()).collect::<Vec<_>>())
        .bind(members.iter().map(|it| it.key.group.as_str()).collect::<Vec<_>>())
        .bind(members.iter().map(|it| it.ttl.as_secs_f64()).collect::<Vec<_>>());
    let mut holdings = std::collections::HashMap::new();
    for row in query.fetch_all(conn).await? {
        let holding: &mut Holding = holdings.entry(row.try_get(0)?).or_default();
        holding.share = usize::try_from(row.try_get::<i32, _>(1)?).unwrap_or(0);
        holding.partitions.extend(partition(&row)?);
    }
    Ok(holdings)
}

fn partition(row: &PgRow) -> Result<Option<Partition>> {
    let Some(number) = row.try_get(2)? else { return Ok(None) };
    let last: (Option<i64>, Option<Uuid>) = (row.try_get(6)?, row.try_get(7)?);
    Ok(Some(Partition {
        number,
        token: row.try_get(3)?,
        position: row.try_get(4)?,
        acked: row.try_get(5)?,
        last: last.0.zip(last.1),
    }))
}

/// Acknowledges events of a partition. `strict`, in the caller's transaction, refuses those that were done before.
pub(crate) async fn ack(
    conn: &mut PgConnection,
    texts: &Texts,
    key: &GroupKey,
    ack: &Ack,
    strict: bool,
) -> Result<Reached> {
    let (position, id) = ack.last.unzip();
    let query = sqlx::query(texts.statement(sql::ACK_SUBSCRIPTION))
        .bind(&key.subscription)
        .bind(&key.group)
        .bind(ack.partition)
        .bind(ack.token)
        .bind(&ack.acked)
        .bind(&ack.retried)
        .bind(&ack.open)
        .bind(ack.reached)
        .bind(position)
        .bind(id)
        .bind(strict);
    let row = query.fetch_one(conn).await.map_err(|e| refusal_of_ack(e, &key.subscription, position))?;
    Ok(Reached { position: row.try_get(0)?, acked: row.try_get(1)? })
}

/// Takes an event out of the line. Returns how often it was tried; 0 when it is a dead letter now.
pub(crate) async fn nack(conn: &mut PgConnection, texts: &Texts, key: &GroupKey, nack: &Nack<'_>) -> Result<i32> {
    let query = sqlx::query_scalar(texts.statement(sql::NACK_SUBSCRIPTION))
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
        .bind(nack.reason);
    query.fetch_one(conn).await.map_err(|e| refusal_of_ack(e, &key.subscription, Some(nack.position)))
}

/// Ends the caller's transaction.
pub(crate) async fn refuse(conn: &mut PgConnection, texts: &Texts) {
    // it always fails, and so does the transaction, however it fails
    let _refused = sqlx::query(texts.statement(sql::REFUSE)).execute(conn).await;
}

/// Gives partitions back, and says which.
pub(crate) async fn release(
    conn: &mut PgConnection,
    texts: &Texts,
    key: &GroupKey,
    held: &[(i32, i64)],
) -> Result<Vec<i32>> {
    let (partitions, tokens): (Vec<_>, Vec<_>) = held.iter().copied().unzip();
    let query = sqlx::query_scalar(texts.statement(sql::RELEASE_PARTITIONS))
        .bind(&key.subscription)
        .bind(&key.group)
        .bind(partitions)
        .bind(tokens);
    Ok(query.fetch_all(conn).await?)
}

/// Ends a membership.
pub(crate) async fn leave(conn: &mut PgConnection, texts: &Texts, key: &GroupKey, member: Uuid) -> Result<()> {
    let query = sqlx::query(texts.statement(sql::LEAVE_GROUP)).bind(member).bind(&key.subscription).bind(&key.group);
    query.execute(conn).await?;
    Ok(())
}

/// Where a subscription's events come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Events(SubscriptionFilter),
    /// Messages in the form of events: the key stands for the stream, the topic for the type.
    Outbox,
}

/// Reads what a source lets pass, with the partition of each, never past a mark that an earlier statement computed.
pub(crate) async fn read_source(
    conn: &mut PgConnection,
    texts: &Texts,
    source: &Source,
    scan: &Scan,
) -> Result<Vec<(i32, EventEnvelope)>> {
    let Source::Events(filter) = source else {
        let query = sqlx::query(texts.statement(sql::READ_OUTBOX_PARTITIONS))
            .bind(scan.after)
            .bind(scan.until)
            .bind(scan.limit)
            .bind(scan.of)
            .bind(&scan.partitions);
        return query.fetch_all(conn).await?.iter().map(partitioned).collect();
    };
    read(conn, texts, filter, scan).await
}

fn partitioned(row: &PgRow) -> Result<(i32, EventEnvelope)> {
    Ok((row.try_get(11)?, envelope(row)?))
}

/// Reads what a subscription lets pass, with the partition of each, never past a mark that an earlier statement computed.
pub(crate) async fn read(
    conn: &mut PgConnection,
    texts: &Texts,
    filter: &SubscriptionFilter,
    scan: &Scan,
) -> Result<Vec<(i32, EventEnvelope)>> {
    let query = sqlx::query(texts.statement(sql::READ_SUBSCRIPTION))
        .bind(scan.after)
        .bind(scan.until)
        .bind(scan.limit)
        .bind(&filter.event_types)
        .bind(&filter.stream_ids)
        .bind(&filter.categories)
        .bind(&filter.stream_prefix)
        .bind(filter.headers.as_ref().map(ToString::to_string))
        .bind(scan.of)
        .bind(&scan.partitions)
        .bind(&filter.tags);
    query.fetch_all(conn).await?.iter().map(partitioned).collect()
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
        Source::Outbox => sql::READ_OUTBOX_POSITIONS,
    };
    let query = sqlx::query(texts.statement(text)).bind(positions);
    query.fetch_all(conn).await?.iter().map(envelope).collect()
}

/// What some partitions have to try again.
pub(crate) async fn retries(
    conn: &mut PgConnection,
    texts: &Texts,
    key: &GroupKey,
    partitions: &[i32],
) -> Result<Vec<Retry>> {
    let query = sqlx::query(texts.statement(sql::SUBSCRIPTION_RETRIES))
        .bind(&key.subscription)
        .bind(&key.group)
        .bind(partitions);
    let retry = |row: &PgRow| {
        Ok(Retry {
            partition: row.try_get(0)?,
            position: row.try_get(1)?,
            stream_id: row.try_get(2)?,
            after: Duration::try_from_secs_f64(row.try_get(3)?).unwrap_or(Duration::MAX),
        })
    };
    query.fetch_all(conn).await?.iter().map(retry).collect()
}

/// Forgets what cannot be tried again.
pub(crate) async fn drop_retries(
    conn: &mut PgConnection,
    texts: &Texts,
    key: &GroupKey,
    positions: &[i64],
) -> Result<()> {
    let query =
        sqlx::query(texts.statement(sql::DROP_RETRIES)).bind(&key.subscription).bind(&key.group).bind(positions);
    query.execute(conn).await?;
    Ok(())
}

/// The channel on which members tell each other that something moved.
pub(crate) fn channel(texts: &Texts) -> String {
    texts.qualify("public.rillflow_subscriptions")
}
