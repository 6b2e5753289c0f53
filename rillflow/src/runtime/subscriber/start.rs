//! How a subscription begins.

use std::sync::Arc;

use super::consumer::begin;
use super::{Limits, Shared};
use crate::Result;
use crate::model::{StartAt, SubscriptionFilter, SubscriptionOptions};
use crate::runtime::{SharedCore, Task};
use crate::storage::marks;
use crate::storage::subscriptions::{self, GroupKey, Source};

/// Makes a subscription, or gives it another filter.
pub(crate) async fn create(
    core: &SharedCore,
    name: &str,
    filter: &SubscriptionFilter,
    options: &SubscriptionOptions,
) -> Result<()> {
    let position = start_position(core, options).await?;
    let mut conn = core.pool.acquire().await?;
    subscriptions::create(&mut conn, &core.texts, name, filter, position).await
}

/// Makes what is missing, and begins a member. Its task ends with the value returned.
pub(crate) async fn subscribe(
    core: &SharedCore,
    name: &str,
    source: Source,
    options: &SubscriptionOptions,
) -> Result<(Arc<Shared>, Task)> {
    let key = GroupKey { subscription: name.to_owned(), group: options.group.clone().unwrap_or_default() };
    let position = start_position(core, options).await?;
    let mut conn = core.pool.acquire().await?;
    let filter = match &source {
        Source::Events(filter) => filter,
        Source::Outbox { .. } => &SubscriptionFilter::default(),
    };
    subscriptions::create(&mut conn, &core.texts, name, filter, position).await?;
    let partitions = if options.group.is_some() { options.partitions } else { 1 };
    let partitions = subscriptions::create_group(&mut conn, &core.texts, &key, partitions, Some(position)).await?;
    drop(conn);
    let (in_flight, batch) = (options.max_in_flight.max(1), options.batch_size.max(1));
    let limits = Limits { in_flight, batch, attempts: options.max_attempts };
    let shared = Arc::new(Shared::new(key, source, partitions, limits, options.lease_ttl));
    let task = begin(core, &shared);
    Ok((shared, task))
}

/// The position after which a group begins that has not been here before.
async fn start_position(core: &SharedCore, options: &SubscriptionOptions) -> Result<i64> {
    let Some(start) = options.start_at else { return Ok(options.start_from) };
    let mut conn = core.pool.acquire().await?;
    let mark = marks::safe_mark(&mut conn, &core.texts).await?.mark;
    Ok(match start {
        StartAt::Now => mark,
        // no such event yet: with the next one
        StartAt::Time(time) => {
            subscriptions::position_before(&mut conn, &core.texts, time).await?.unwrap_or(mark).min(mark)
        }
    })
}
