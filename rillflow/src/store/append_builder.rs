//! An append put together step by step.

use uuid::Uuid;

use super::Events;
use crate::Result;
use crate::model::{AppendOptions, Appended, Event, Expected, Message, StreamId};
use crate::storage::append::Append;

/// An append on its way. The calls may come in any order; each keeps what the others set.
///
/// ```no_run
/// # async fn example(store: rillflow::Store, id: uuid::Uuid) -> rillflow::Result<()> {
/// use rillflow::{Event, Expected};
///
/// store
///     .events()
///     .builder(id)
///     .headers(serde_json::json!({ "req_id": "abc-123" }))
///     .idempotency_key("req-123")
///     .push(Event::new("OrderPlaced", &serde_json::json!({ "order_id": 42 })))
///     .expected(Expected::Any)
///     .send()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is appended before `send().await`"]
pub struct AppendBuilder<'s> {
    to: Events<'s>,
    stream_id: StreamId,
    expected: Expected,
    options: AppendOptions,
    messages: Vec<Message>,
    events: Vec<Event>,
}

impl<'s> AppendBuilder<'s> {
    pub(super) fn new(to: Events<'s>, stream_id: StreamId) -> Self {
        Self {
            to,
            stream_id,
            expected: Expected::default(),
            options: AppendOptions::default(),
            messages: Vec::new(),
            events: Vec::new(),
        }
    }

    /// What the stream must be like; anything by default.
    pub fn expected(mut self, expected: Expected) -> Self {
        self.expected = expected;
        self
    }

    /// As [`AppendOptions::headers`].
    pub fn headers(mut self, headers: serde_json::Value) -> Self {
        self.options = self.options.headers(headers);
        self
    }

    /// As [`AppendOptions::causation_id`].
    pub fn causation_id(mut self, id: Uuid) -> Self {
        self.options = self.options.causation_id(id);
        self
    }

    /// As [`AppendOptions::correlation_id`].
    pub fn correlation_id(mut self, id: Uuid) -> Self {
        self.options = self.options.correlation_id(id);
        self
    }

    /// As [`AppendOptions::idempotency_key`].
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.options = self.options.idempotency_key(key);
        self
    }

    /// As [`AppendOptions::idempotency_scope`].
    pub fn idempotency_scope(mut self, scope: impl Into<String>) -> Self {
        self.options = self.options.idempotency_scope(scope);
        self
    }

    /// Publishes a message with the events: it is there exactly when they are, and once, also when the append is
    /// repeated. What it does not say itself about causation and correlation, it takes from here.
    pub fn publish(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// Adds an event after those before it.
    pub fn push(mut self, event: impl Into<Event>) -> Self {
        self.events.push(event.into());
        self
    }

    /// Adds events after those before them.
    pub fn extend<E: Into<Event>>(mut self, events: impl IntoIterator<Item = E>) -> Self {
        self.events.extend(events.into_iter().map(Into::into));
        self
    }

    /// Appends all of them, or none.
    ///
    /// # Errors
    ///
    /// As [`Events::append_with`].
    pub async fn send(self) -> Result<Appended> {
        let mut request = Append::new(self.stream_id, "", self.expected, &self.options, self.events)?;
        request.publish(&self.options, self.messages)?;
        self.to.send(request).await
    }
}
