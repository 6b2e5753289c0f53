//! Appends: what may go with one, and what comes of it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{Event, Expected, Message, RawJson, StreamId};
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
/// let options = rillflow::AppendOptions::default()
///     .headers(&serde_json::json!({ "request": "r-123" }))
///     .correlation_id(uuid::Uuid::now_v7())
///     .idempotency_key("req-123");
/// ```
#[derive(Debug, Default)]
pub struct AppendOptions {
    pub(crate) expected: Expected,
    pub(crate) headers: Option<Result<RawJson>>,
    pub(crate) causation_id: Option<Uuid>,
    pub(crate) correlation_id: Option<Uuid>,
    pub(crate) scope: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) messages: Vec<Message>,
}

impl AppendOptions {
    /// What the stream must be like; anything by default.
    #[must_use]
    pub fn expected(mut self, expected: Expected) -> Self {
        self.expected = expected;
        self
    }

    /// Headers for every event that has none of its own. What does not serialise is reported by the append.
    #[must_use]
    pub fn headers(mut self, headers: &(impl Serialize + ?Sized)) -> Self {
        self.headers = Some(RawJson::encode("headers", headers));
        self
    }

    /// What caused the events, for every event that does not say so itself.
    #[must_use]
    pub fn causation_id(mut self, id: Uuid) -> Self {
        self.causation_id = Some(id);
        self
    }

    /// What the events belong to, for every event that does not say so itself.
    #[must_use]
    pub fn correlation_id(mut self, id: Uuid) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// Appends once per key: an append to the same stream with the same key gets the first result, whatever the stream's
    /// version is by then. The same key with other events is [`Error::IdempotencyConflict`](crate::Error::IdempotencyConflict).
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Makes the key count within `scope` instead of within the stream: once per request, whatever stream it writes to.
    #[must_use]
    pub fn idempotency_scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Publishes a message with the events: it is there exactly when they are, and once, also when the append is
    /// repeated. What it does not say itself about causation and correlation, it takes from here.
    #[must_use]
    pub fn publish(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// Gives `event` what it does not say itself.
    pub(crate) fn complete(&self, event: &mut Event) -> Result<()> {
        if event.headers.is_none() {
            event.headers = match &self.headers {
                Some(Ok(headers)) => Some(Ok(headers.clone())),
                Some(Err(error)) => {
                    return Err(crate::Error::Encode { what: "headers".into(), reason: error.to_string() });
                }
                None => None,
            };
        }
        event.causation_id = event.causation_id.or(self.causation_id);
        event.correlation_id = event.correlation_id.or(self.correlation_id);
        Ok(())
    }

    /// Gives `message` what it does not say itself; headers are about the events.
    pub(crate) fn complete_message(&self, mut message: Message) -> Message {
        message.causation_id = message.causation_id.or(self.causation_id);
        message.correlation_id = message.correlation_id.or(self.correlation_id);
        message
    }
}
