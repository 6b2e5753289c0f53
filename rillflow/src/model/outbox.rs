//! Messages for other systems, which commit with the events and documents that they tell of.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::RawJson;
use crate::Result;

/// A message to publish: what, where, and in which order.
///
/// It commits with what it tells of and waits in the outbox until a relay has handed it on, at least once. The receiver
/// recognises a second delivery by the message's id.
///
/// ```
/// let message = rillflow::Message::new("orders", "42", &serde_json::json!({ "order": 42, "state": "placed" }))
///     .with_headers(&serde_json::json!({ "content-type": "application/json" }));
/// ```
#[derive(Debug)]
pub struct Message {
    pub(crate) id: Uuid,
    pub(crate) topic: String,
    pub(crate) key: String,
    /// What does not serialise is reported by whoever publishes, where there is somebody to tell.
    pub(crate) payload: Result<RawJson>,
    pub(crate) headers: Option<Result<RawJson>>,
    pub(crate) causation_id: Option<Uuid>,
    pub(crate) correlation_id: Option<Uuid>,
}

impl Message {
    /// A message to a topic. Messages of one key are delivered in the order in which they were published.
    pub fn new(topic: impl Into<String>, key: impl ToString, payload: &(impl Serialize + ?Sized)) -> Self {
        let topic = topic.into();
        let payload = RawJson::encode(&format!("a message to `{topic}`"), payload);
        let key = key.to_string();
        Self { id: Uuid::now_v7(), topic, key, payload, headers: None, causation_id: None, correlation_id: None }
    }

    /// Sets the id by which a receiver recognises this message. By default it is a fresh one.
    #[must_use]
    pub fn with_id(mut self, id: Uuid) -> Self {
        self.id = id;
        self
    }

    /// Sets headers: any JSON object beside the payload.
    #[must_use]
    pub fn with_headers(mut self, headers: &(impl Serialize + ?Sized)) -> Self {
        self.headers = Some(RawJson::encode("headers", headers));
        self
    }

    /// Sets the id of what caused this message.
    #[must_use]
    pub fn with_causation_id(mut self, id: Uuid) -> Self {
        self.causation_id = Some(id);
        self
    }

    /// Sets the id shared by everything that belongs to one request or process.
    #[must_use]
    pub fn with_correlation_id(mut self, id: Uuid) -> Self {
        self.correlation_id = Some(id);
        self
    }
}

/// A message as it waits in the outbox.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutboxMessage {
    /// Its place among all events and messages of the store: grows, has gaps.
    pub position: i64,
    /// Its own id.
    pub message_id: Uuid,
    /// Where it goes.
    pub topic: String,
    /// Messages of one key are delivered in their order.
    pub key: String,
    /// What the application stored beside the payload.
    pub headers: Option<RawJson>,
    /// The payload as it was written.
    pub payload: RawJson,
    /// What caused it.
    pub causation_id: Option<Uuid>,
    /// What it belongs to.
    pub correlation_id: Option<Uuid>,
    /// When the server recorded it.
    pub created_at: DateTime<Utc>,
}
