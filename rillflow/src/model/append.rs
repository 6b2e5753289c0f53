//! Appends: what may go with one, and what comes of it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Event, Message, RawJson, StreamId};
use crate::Result;

/// What an append reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// The stream.
    pub stream_id: StreamId,
    /// The version the stream reached: the number of its events.
    pub version: i64,
    /// The place of each event among all events of the store, in the order given.
    pub positions: Vec<i64>,
    /// When the server recorded them.
    pub created_at: DateTime<Utc>,
    /// True when this is the result of an earlier append with the same idempotency key or event ids: nothing new was
    /// written.
    pub repeated: bool,
}

impl Appended {
    /// The position of the last event: what a reader waits for to see this append.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.positions.last().copied().unwrap_or(0)
    }
}

/// What goes with an append beside its events.
///
/// ```
/// use rillflow::AppendOptions;
///
/// let options = AppendOptions { headers: Some(serde_json::json!({ "request": "r-123" })), ..Default::default() };
/// let options = options.correlation_id(uuid::Uuid::now_v7()).idempotency_key("req-123");
/// ```
#[derive(Clone, Debug, Default)]
pub struct AppendOptions {
    /// Headers for every event that has none of its own.
    pub headers: Option<serde_json::Value>,
    /// What caused the events, for every event that does not say so itself.
    pub causation_id: Option<Uuid>,
    /// What the events belong to, for every event that does not say so itself.
    pub correlation_id: Option<Uuid>,
    /// Appends once per key: an append to the same stream with the same key gets the first result, whatever the stream's
    /// version is by then. The same key with other events is [`Error::IdempotencyConflict`](crate::Error::IdempotencyConflict).
    pub idempotency_key: Option<String>,
    /// Makes the key count within this scope instead of within the stream: once per request, whatever stream it writes to.
    pub idempotency_scope: Option<String>,
}

impl AppendOptions {
    /// Sets [`headers`](Self::headers).
    #[must_use]
    pub fn headers(mut self, headers: serde_json::Value) -> Self {
        self.headers = Some(headers);
        self
    }

    /// Sets [`causation_id`](Self::causation_id).
    #[must_use]
    pub fn causation_id(mut self, id: Uuid) -> Self {
        self.causation_id = Some(id);
        self
    }

    /// Sets [`correlation_id`](Self::correlation_id).
    #[must_use]
    pub fn correlation_id(mut self, id: Uuid) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// Sets [`idempotency_key`](Self::idempotency_key).
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sets [`idempotency_scope`](Self::idempotency_scope).
    #[must_use]
    pub fn idempotency_scope(mut self, scope: impl Into<String>) -> Self {
        self.idempotency_scope = Some(scope.into());
        self
    }

    /// Gives events what they do not say themselves.
    pub(crate) fn complete(&self, events: impl Iterator<Item = Event>) -> Result<impl Iterator<Item = Event>> {
        let headers = self.headers.as_ref().map(|headers| RawJson::encode("headers", headers)).transpose()?;
        Ok(events.map(move |mut event| {
            event.headers = event.headers.take().or_else(|| headers.clone().map(Ok));
            event.causation_id = event.causation_id.or(self.causation_id);
            event.correlation_id = event.correlation_id.or(self.correlation_id);
            event
        }))
    }

    /// Gives a message what it does not say itself; headers are about the events.
    pub(crate) fn complete_message(&self, mut message: Message) -> Message {
        message.causation_id = message.causation_id.or(self.causation_id);
        message.correlation_id = message.correlation_id.or(self.correlation_id);
        message
    }
}
