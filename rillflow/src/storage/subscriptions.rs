//! Subscriptions: members and their partitions, acknowledgements, and the events to deliver.

mod admin;
mod retries;

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::ask::{query, query_as, query_scalar};
use super::events::envelope;
use super::failure::{in_another_epoch, refusal_of_ack};
use super::{epochs, marks};
use crate::Result;
use crate::model::{Checkpoint, EventEnvelope, SubscriptionFilter};
use crate::sql::{self, Texts};

pub(crate) use admin::*;
pub(crate) use retries::*;

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
    /// Done beyond the checkpoint.
    pub(crate) acked: Vec<i64>,
    /// The checkpoint: all up to here is done.
    pub(crate) checkpoint: Checkpoint,
    /// Owners that ended over something that is not done.
    pub(crate) crashes: i32,
    /// That is not above this.
    pub(crate) doubtful_until: i64,
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

/// How far a partition is after an acknowledgement.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    pub(crate) position: i64,
    pub(crate) acked: Vec<i64>,
}

/// Which part of the log to read, for which partitions.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) after: i64,
    pub(crate) until: i64,
    pub(crate) limit: i64,
    /// The history that `after` belongs to.
    pub(crate) epoch: i32,
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
    let query = query(texts.statement(sql::TEND_MEMBERS))
        .bind(members.iter().map(|it| it.member).collect::<Vec<_>>())
        .bind(members.iter().map(|it| it.key.subscription.as_str()).collect::<Vec<_>>())
        .bind(members.iter().map(|it| it.key.group.as_str()).collect::<Vec<_>>())
        .bind(members.iter().map(|it| it.ttl.as_secs_f64()).collect::<Vec<_>>())
        .bind(channel(texts));
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
    let checkpoint = Checkpoint { epoch: row.try_get(8)?, position: row.try_get(4)?, last: last.0.zip(last.1) };
    let (crashes, doubtful_until) = (row.try_get(9)?, row.try_get(10)?);
    let (token, acked) = (row.try_get(3)?, row.try_get(5)?);
    Ok(Some(Partition { number, token, acked, checkpoint, crashes, doubtful_until }))
}

/// A partition as it is good for this history; `None` when it comes from another one.
///
/// What an older epoch passed without an event may hold events in this one: it is looked at again. Of messages that are
/// deleted once they were handed on, all that are still there are.
pub(crate) async fn resume(
    conn: &mut PgConnection,
    texts: &Texts,
    source: &Source,
    kept: &Partition,
) -> Result<Option<Partition>> {
    let stored = kept.checkpoint;
    let unseen = Checkpoint { last: None, ..stored };
    // a message that was handed on may be deleted
    let first = if matches!(source, Source::Outbox { .. }) { &unseen } else { &stored };
    let Some(known) = epochs::resume(conn, texts, first).await? else { return Ok(None) };
    if known.epoch == stored.epoch || stored.epoch == 0 {
        return Ok(Some(Partition { checkpoint: Checkpoint { epoch: known.epoch, ..stored }, ..kept.clone() }));
    }
    let known = match source {
        Source::Events(_) => Some(known),
        Source::Outbox { kept: true } => epochs::resume(conn, texts, &stored).await?,
        Source::Outbox { kept: false } => {
            return Ok(Some(Partition { checkpoint: known, acked: Vec::new(), ..*kept }));
        }
    };
    Ok(known.map(|known| {
        // what is done beyond the checkpoint is not above the last event, which was found
        let position = known.position.min(stored.position);
        Partition { checkpoint: Checkpoint { position, ..known }, ..kept.clone() }
    }))
}

/// Stores a partition that was resumed. `false`: it has another owner.
pub(crate) async fn enter(conn: &mut PgConnection, texts: &Texts, key: &GroupKey, known: &Partition) -> Result<bool> {
    let (position, id) = known.checkpoint.last.unzip();
    let query = query(texts.statement(sql::ENTER_PARTITION))
        .bind(&key.subscription)
        .bind(&key.group)
        .bind(known.number)
        .bind(known.token)
        .bind(known.checkpoint.epoch)
        .bind(known.checkpoint.position)
        .bind(&known.acked)
        .bind(position)
        .bind(id);
    Ok(query.fetch_optional(conn).await?.is_some())
}

/// How far a partition is, of which nothing is open up to there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Followed {
    pub(crate) partition: i32,
    pub(crate) token: i64,
    pub(crate) reached: i64,
}

/// Moves the checkpoints of partitions in which nothing was to be done.
pub(crate) async fn follow(
    conn: &mut PgConnection,
    texts: &Texts,
    key: &GroupKey,
    followed: &[Followed],
) -> Result<Vec<(i32, i64)>> {
    let query = query_as(texts.statement(sql::FOLLOW_PARTITIONS))
        .bind(&key.subscription)
        .bind(&key.group)
        .bind(followed.iter().map(|it| it.partition).collect::<Vec<_>>())
        .bind(followed.iter().map(|it| it.token).collect::<Vec<_>>())
        .bind(followed.iter().map(|it| it.reached).collect::<Vec<_>>());
    Ok(query.fetch_all(conn).await?)
}

/// Acknowledges events of a partition. In the caller's transaction, `strictly`, those that were done before are refused, and
/// the server ends it when it then stands idle for so long.
pub(crate) async fn ack(
    conn: &mut PgConnection,
    texts: &Texts,
    key: &GroupKey,
    ack: &Ack,
    strictly: Option<Duration>,
) -> Result<Reached> {
    let (position, id) = ack.last.unzip();
    let query = query(texts.statement(sql::ACK_SUBSCRIPTION))
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
        .bind(strictly.is_some())
        .bind(strictly.unwrap_or_default().as_secs_f64());
    let row = query.fetch_one(conn).await.map_err(|e| refusal_of_ack(e, &key.subscription, position))?;
    Ok(Reached { position: row.try_get(0)?, acked: row.try_get(1)? })
}

/// Ends the caller's transaction.
pub(crate) async fn refuse(conn: &mut PgConnection, texts: &Texts) {
    // it always fails, and so does the transaction, however it fails
    let _refused = query(texts.statement(sql::REFUSE)).execute(conn).await;
}

/// Gives partitions back, and says which.
pub(crate) async fn release(
    conn: &mut PgConnection,
    texts: &Texts,
    key: &GroupKey,
    held: &[(i32, i64)],
) -> Result<Vec<i32>> {
    let (partitions, tokens): (Vec<_>, Vec<_>) = held.iter().copied().unzip();
    let query = query_scalar(texts.statement(sql::RELEASE_PARTITIONS))
        .bind(&key.subscription)
        .bind(&key.group)
        .bind(partitions)
        .bind(tokens)
        .bind(channel(texts));
    Ok(query.fetch_all(conn).await?)
}

/// Ends a membership. `dropped` are partitions of which something was in hand, and is done by nobody.
pub(crate) async fn leave(
    conn: &mut PgConnection,
    texts: &Texts,
    key: &GroupKey,
    member: Uuid,
    dropped: &[i32],
) -> Result<()> {
    let query = query(texts.statement(sql::LEAVE_GROUP))
        .bind(member)
        .bind(&key.subscription)
        .bind(&key.group)
        .bind(channel(texts))
        .bind(dropped);
    query.execute(conn).await?;
    Ok(())
}

/// Where a subscription's events come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Events(SubscriptionFilter),
    /// Messages in the form of events: the key stands for the stream, the topic for the type.
    Outbox {
        /// Whether they stay once they were handed on.
        kept: bool,
    },
}

/// What was read, with the partition of each. `None`: another epoch began, and nothing was.
pub(crate) type Delivery = Option<Vec<(i32, EventEnvelope)>>;

/// Reads what a source lets pass, never past a mark that an earlier statement computed.
pub(crate) async fn read_source(
    conn: &mut PgConnection,
    texts: &Texts,
    source: &Source,
    scan: &Scan,
) -> Result<Delivery> {
    let Source::Events(filter) = source else {
        let query = query(texts.statement(sql::READ_OUTBOX_PARTITIONS))
            .bind(scan.after)
            .bind(scan.until)
            .bind(scan.limit)
            .bind(scan.of)
            .bind(&scan.partitions)
            .bind(scan.epoch);
        return delivery(query.fetch_all(conn).await);
    };
    read(conn, texts, filter, scan).await
}

fn delivery(rows: sqlx::Result<Vec<PgRow>>) -> Result<Delivery> {
    match rows {
        Ok(rows) => rows.iter().map(|row| Ok((row.try_get(11)?, envelope(row)?))).collect::<Result<_>>().map(Some),
        Err(error) if in_another_epoch(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reads what a subscription lets pass, never past a mark that an earlier statement computed.
pub(crate) async fn read(
    conn: &mut PgConnection,
    texts: &Texts,
    filter: &SubscriptionFilter,
    scan: &Scan,
) -> Result<Delivery> {
    let query = query(texts.statement(sql::READ_SUBSCRIPTION))
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
        .bind(&filter.tags)
        .bind(scan.epoch);
    delivery(query.fetch_all(conn).await)
}

/// The channel on which members tell each other that something moved.
pub(crate) fn channel(texts: &Texts) -> String {
    marks::channel_of(texts, "rillflow_subscriptions")
}
