//! Subscriptions as people see them: made, listed, paused, reset, deleted; dead letters.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::{GroupKey, channel};
use crate::model::{GroupStatus, SubscriptionDeadLetter, SubscriptionFilter, SubscriptionInfo};
use crate::sql::{self, Texts};
use crate::storage::ask::{query, query_scalar};
use crate::storage::failure::text;
use crate::{Error, Result};

/// Makes a subscription, or gives it another filter.
pub(crate) async fn create(
    conn: &mut PgConnection,
    texts: &Texts,
    name: &str,
    filter: &SubscriptionFilter,
    position: i64,
) -> Result<()> {
    let filter = serde_json::to_string(filter)
        .map_err(|e| Error::Encode { what: format!("the filter of `{name}`"), reason: e.to_string() })?;
    let query = query(texts.statement(sql::CREATE_SUBSCRIPTION)).bind(name).bind(filter).bind(position);
    query.execute(conn).await?;
    Ok(())
}

/// Makes a group unless it is there, and says over how many partitions it spreads its streams.
pub(crate) async fn create_group(
    conn: &mut PgConnection,
    texts: &Texts,
    key: &GroupKey,
    partitions: i32,
    position: Option<i64>,
) -> Result<i32> {
    let query = query(texts.statement(sql::CREATE_SUBSCRIPTION_GROUP))
        .bind(&key.subscription)
        .bind(&key.group)
        .bind(partitions)
        .bind(position);
    query.execute(&mut *conn).await?;
    let query =
        query_scalar(texts.statement(sql::SUBSCRIPTION_GROUP_PARTITIONS)).bind(&key.subscription).bind(&key.group);
    query.fetch_optional(conn).await?.ok_or_else(|| Error::UnknownSubscription { name: key.subscription.clone() })
}

/// The position before the first event recorded at a time, or later; `None` when there is no such event.
pub(crate) async fn position_before(
    conn: &mut PgConnection,
    texts: &Texts,
    time: DateTime<Utc>,
) -> Result<Option<i64>> {
    Ok(query_scalar(texts.statement(sql::POSITION_BEFORE)).bind(time).fetch_one(conn).await?)
}

/// Subscriptions as they are stored; one of them when a name is given.
pub(crate) async fn list(conn: &mut PgConnection, texts: &Texts, name: Option<&str>) -> Result<Vec<SubscriptionInfo>> {
    let rows = query(texts.statement(sql::LIST_SUBSCRIPTIONS)).bind(name).fetch_all(conn).await?;
    let info = |row: &PgRow| {
        Ok(SubscriptionInfo {
            name: row.try_get(0)?,
            filter: json(row, 1, "the filter of a subscription")?,
            start_position: row.try_get(2)?,
            created_at: row.try_get(3)?,
        })
    };
    rows.iter().map(info).collect()
}

/// How far groups are, and who belongs to them.
pub(crate) async fn status(
    conn: &mut PgConnection,
    texts: &Texts,
    subscription: &str,
    group: Option<&str>,
    mark: i64,
) -> Result<Vec<GroupStatus>> {
    let query = query(texts.statement(sql::GROUP_STATUS)).bind(subscription).bind(group).bind(mark);
    let status = |row: &PgRow| {
        Ok(GroupStatus {
            subscription: subscription.to_owned(),
            group: named(row.try_get(0)?),
            status: row.try_get(1)?,
            position: row.try_get(2)?,
            lag: row.try_get(3)?,
            lag_seconds: row.try_get(4)?,
            retries: row.try_get(5)?,
            dead_letters: row.try_get(6)?,
            partitions: json(row, 7, "the partitions of a group")?,
            members: json(row, 8, "the members of a group")?,
        })
    };
    query.fetch_all(conn).await?.iter().map(status).collect()
}

/// Pauses groups, or lets them go on; says how many.
pub(crate) async fn set_status(
    conn: &mut PgConnection,
    texts: &Texts,
    subscription: &str,
    group: Option<&str>,
    status: &str,
) -> Result<i64> {
    let query = query_scalar(texts.statement(sql::SET_GROUP_STATUS))
        .bind(subscription)
        .bind(group)
        .bind(status)
        .bind(channel(texts));
    Ok(query.fetch_one(conn).await?)
}

/// Sends groups to a position; says how many partitions they have.
pub(crate) async fn reset(
    conn: &mut PgConnection,
    texts: &Texts,
    subscription: &str,
    group: Option<&str>,
    position: i64,
) -> Result<i64> {
    let query = query_scalar(texts.statement(sql::RESET_GROUP))
        .bind(subscription)
        .bind(group)
        .bind(position)
        .bind(channel(texts));
    Ok(query.fetch_one(conn).await?)
}

/// Deletes a subscription. `false`: there was none.
pub(crate) async fn delete(conn: &mut PgConnection, texts: &Texts, name: &str) -> Result<bool> {
    let query = query_scalar(texts.statement(sql::DELETE_SUBSCRIPTION)).bind(name).bind(channel(texts));
    let gone: i64 = query.fetch_one(conn).await?;
    Ok(gone > 0)
}

/// Dead letters, in the order of their events.
pub(crate) async fn dead_letters(
    conn: &mut PgConnection,
    texts: &Texts,
    subscription: &str,
    group: Option<&str>,
    limit: i64,
) -> Result<Vec<SubscriptionDeadLetter>> {
    let query = query(texts.statement(sql::SUBSCRIPTION_DEAD_LETTERS)).bind(subscription).bind(group).bind(limit);
    let letter = |row: &PgRow| {
        Ok(SubscriptionDeadLetter {
            id: row.try_get(0)?,
            subscription: row.try_get(1)?,
            group: named(row.try_get(2)?),
            position: row.try_get(3)?,
            stream_id: row.try_get(4)?,
            attempts: row.try_get(5)?,
            error: row.try_get(6)?,
            dead_at: row.try_get(7)?,
        })
    };
    query.fetch_all(conn).await?.iter().map(letter).collect()
}

/// Gives dead letters back, to be tried anew; says how many.
pub(crate) async fn requeue(conn: &mut PgConnection, texts: &Texts, subscription: &str, ids: &[i64]) -> Result<u64> {
    let query =
        query_scalar(texts.statement(sql::REQUEUE_DEAD_LETTERS)).bind(subscription).bind(ids).bind(channel(texts));
    let requeued: i64 = query.fetch_one(conn).await?;
    Ok(requeued.unsigned_abs())
}

/// Deletes dead letters for good; says how many.
pub(crate) async fn delete_dead_letters(
    conn: &mut PgConnection,
    texts: &Texts,
    subscription: &str,
    ids: &[i64],
) -> Result<u64> {
    let query = query(texts.statement(sql::DELETE_DEAD_LETTERS)).bind(subscription).bind(ids);
    Ok(query.execute(conn).await?.rows_affected())
}

/// The group as people name it.
fn named(group: String) -> Option<String> {
    Some(group).filter(|it| !it.is_empty())
}

fn json<T: DeserializeOwned>(row: &PgRow, column: usize, what: &str) -> Result<T> {
    serde_json::from_str(text(row, column)?).map_err(|source| Error::Decode { what: what.to_owned(), source })
}
