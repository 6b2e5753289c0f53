//! Subscriptions: which events, from where on, and how they are acknowledged.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{EventSet, StreamKey, Tag};

/// Which events a subscription delivers. PostgreSQL applies it; `None` lets everything pass, and several parts must all
/// let an event pass.
///
/// ```
/// use rillflow::subscriptions::SubscriptionFilter;
///
/// let filter = SubscriptionFilter { event_types: Some(vec!["order-placed".into()]), ..Default::default() };
/// assert_eq!(filter, SubscriptionFilter::default().types(["order-placed"]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubscriptionFilter {
    /// Stored names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<String>>,
    /// Categories of streams, such as `order`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<String>>,
    /// Streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_ids: Option<Vec<Uuid>>,
    /// What the alias of a stream begins with, such as `orders:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_prefix: Option<String>,
    /// Tags, as they are written, such as `course:42`: an event carries all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// What the headers hold, compared as `jsonb` containment: `{"tenant": "a"}` passes `{"tenant": "a", "user": 7}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<serde_json::Value>,
}

impl SubscriptionFilter {
    /// Only the events of this set, by each of their stored names.
    #[must_use]
    pub fn of<E: EventSet>() -> Self {
        Self::default().types(E::TYPES.iter().map(|it| it.name))
    }

    /// Only events of these stored names, and of those given before.
    #[must_use]
    pub fn types<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.event_types.get_or_insert_default().extend(names.into_iter().map(Into::into));
        self
    }

    /// Only streams of these categories, and of those given before.
    #[must_use]
    pub fn categories<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.categories.get_or_insert_default().extend(names.into_iter().map(Into::into));
        self
    }

    /// Only these streams, and those given before.
    #[must_use]
    pub fn streams<K: StreamKey>(mut self, streams: impl IntoIterator<Item = K>) -> Self {
        self.stream_ids.get_or_insert_default().extend(streams.into_iter().map(|it| it.stream_id().0));
        self
    }

    /// Only streams whose alias begins with this.
    #[must_use]
    pub fn stream_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.stream_prefix = Some(prefix.into());
        self
    }

    /// Only events that carry all of these tags, and those given before.
    #[must_use]
    pub fn tags(mut self, tags: impl IntoIterator<Item = Tag>) -> Self {
        self.tags.get_or_insert_default().extend(tags.into_iter().map(|it| it.to_string()));
        self
    }

    /// Only events whose headers hold this.
    #[must_use]
    pub fn headers(mut self, headers: serde_json::Value) -> Self {
        self.headers = Some(headers);
        self
    }
}

/// When an event counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckMode {
    /// An event is done when the next one is asked for: one that is dropped, or whose handler panics, comes again.
    #[default]
    Auto,
    /// An event is done when the application says so, in any order.
    Manual,
}

/// Where a subscription begins, other than after a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// With what is appended from now on.
    Now,
    /// With the first event recorded at this time, or later.
    Time(DateTime<Utc>),
}

/// How a subscription runs.
///
/// ```
/// use rillflow::subscriptions::{AckMode, SubscriptionOptions};
///
/// let options = SubscriptionOptions { start_from: 0, ack_mode: AckMode::Manual, ..Default::default() };
/// assert_eq!(options.max_in_flight, 1024);
/// ```
#[derive(Clone, Debug)]
pub struct SubscriptionOptions {
    /// The position after which a group begins that has not been here before; 0, the default, is the beginning.
    pub start_from: i64,
    /// Where it begins instead.
    pub start_at: Option<StartAt>,
    /// The group: its members share the streams among them. Without one, whoever subscribes first gets everything, and
    /// the next takes over.
    pub group: Option<String>,
    /// Over how many partitions a group spreads its streams: so many members can work at a time. 16 by default; fixed
    /// when the group is first used. Without a group there is one.
    pub partitions: i32,
    /// When an event counts as done; [`AckMode::Auto`] by default.
    pub ack_mode: AckMode,
    /// How many events may be taken and not yet acknowledged; 1024 by default.
    pub max_in_flight: usize,
    /// How many events one statement reads at most, and about how many are kept ready; 500 by default.
    pub batch_size: usize,
    /// How long what a member owns stays its own when nothing is heard of it; 30 seconds by default. A take-over after a
    /// crash needs this and a third of it more.
    pub lease_ttl: Duration,
    /// How often an event is tried before it becomes a dead letter; 5 by default. It was tried when it was refused by a nack,
    /// when its receiver was dropped with it in hand, and when its process ended over it: that is known from the third time
    /// on, and no other event becomes a dead letter for it.
    pub max_attempts: i32,
}

impl Default for SubscriptionOptions {
    fn default() -> Self {
        Self {
            start_from: 0,
            start_at: None,
            group: None,
            partitions: 16,
            ack_mode: AckMode::Auto,
            max_in_flight: 1024,
            batch_size: 500,
            lease_ttl: Duration::from_secs(30),
            max_attempts: 5,
        }
    }
}

impl SubscriptionOptions {
    /// Begins with what is appended from now on.
    #[must_use]
    pub fn from_now() -> Self {
        Self { start_at: Some(StartAt::Now), ..Self::default() }
    }

    /// Begins with the first event recorded at this time, or later.
    #[must_use]
    pub fn from_time(time: DateTime<Utc>) -> Self {
        Self { start_at: Some(StartAt::Time(time)), ..Self::default() }
    }

    /// Begins after this position.
    #[must_use]
    pub fn after(position: i64) -> Self {
        Self { start_from: position, ..Self::default() }
    }

    /// Joins a group.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.group = Some(name.into());
        self
    }

    /// Acknowledges by hand.
    #[must_use]
    pub fn manual(mut self) -> Self {
        self.ack_mode = AckMode::Manual;
        self
    }
}

/// A subscription as it is stored.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SubscriptionInfo {
    /// Its name.
    pub name: String,
    /// Which events it delivers.
    pub filter: SubscriptionFilter,
    /// Where a group begins that has not been here before.
    pub start_position: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// How far a group of a subscription is, and who belongs to it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct GroupStatus {
    /// The subscription.
    pub subscription: String,
    /// The group; `None` for those who named none.
    pub group: Option<String>,
    /// `running` or `paused`.
    pub status: String,
    /// Everything up to here is done, in every partition.
    pub position: i64,
    /// How many positions it is behind the safe mark. Not all of them hold events that its filter lets pass.
    pub lag: i64,
    /// How many seconds ago the first event was recorded that is not done; 0 when it is up to date.
    pub lag_seconds: f64,
    /// How many events wait to be tried again, or behind one of their stream that does.
    pub retries: i64,
    /// How many dead letters there are.
    pub dead_letters: i64,
    /// Its partitions.
    pub partitions: Vec<PartitionStatus>,
    /// Those who are alive, in the order they joined.
    pub members: Vec<MemberStatus>,
}

/// How far a partition is, and who owns it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PartitionStatus {
    /// Its number, from 0.
    pub partition: i32,
    /// Everything up to here is done.
    pub position: i64,
    /// The member that owns it.
    pub owner: Option<Uuid>,
    /// Grows with every owner.
    pub token: i64,
}

/// A member of a group.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MemberStatus {
    /// Its id.
    pub member: Uuid,
    /// When it joined.
    pub joined_at: DateTime<Utc>,
    /// Until when it counts as alive, unless it is heard of again.
    pub alive_until: DateTime<Utc>,
}

/// An event that a group gave up.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SubscriptionDeadLetter {
    /// Its number, by which it is requeued or deleted.
    pub id: i64,
    /// The subscription.
    pub subscription: String,
    /// The group; `None` for those who named none.
    pub group: Option<String>,
    /// The event's position.
    pub position: i64,
    /// Its stream.
    pub stream_id: Uuid,
    /// How often it was tried.
    pub attempts: i32,
    /// What went wrong the last time.
    pub error: Option<String>,
    /// When it was given up.
    pub dead_at: DateTime<Utc>,
}
