//! NATS JetStream as a [`Transport`] (feature `nats`).

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishAckFuture;

use crate::model::{OutboxMessage, Transport};
use crate::{BoxError, RawJson};

/// Publishes messages to JetStream: the topic is the subject, and a stream must take it.
///
/// `Nats-Msg-Id` is the message's id, by which JetStream drops one that comes again within the stream's duplicate window
/// (two minutes by default). The key, the causation and the correlation are headers, `Rillflow-Key` and so on; the
/// message's own headers are one more, as JSON. All messages of a call are under way at the same time.
///
/// ```no_run
/// # async fn example(store: rillflow::Store) -> Result<(), rillflow::BoxError> {
/// use rillflow::nats::JetStream;
///
/// let client = async_nats::connect("localhost:4222").await?;
/// let transport = JetStream::new(async_nats::jetstream::new(client));
/// let relay = store.subscriptions().relay_outbox("to-nats", transport, Default::default()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct JetStream {
    context: Context,
    prefix: String,
}

impl JetStream {
    /// Publishes through this context, with its timeouts.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { context, prefix: String::new() }
    }

    /// Puts something before every topic, such as `shop.`.
    #[must_use]
    pub fn subject_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    async fn send(&self, message: &OutboxMessage) -> Result<PublishAckFuture, BoxError> {
        let subject = format!("{}{}", self.prefix, message.topic);
        let payload = message.payload.as_str().to_owned().into();
        Ok(self.context.publish_with_headers(subject, headers(message), payload).await?)
    }
}

fn headers(message: &OutboxMessage) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", message.message_id.to_string());
    headers.insert("Rillflow-Position", message.position.to_string());
    // a header cannot hold a line break: JSON without one is the same JSON
    let one_line = |text: &str| text.replace(['\r', '\n'], " ");
    headers.insert("Rillflow-Key", one_line(&message.key));
    for (name, id) in
        [("Rillflow-Causation-Id", message.causation_id), ("Rillflow-Correlation-Id", message.correlation_id)]
    {
        if let Some(id) = id {
            headers.insert(name, id.to_string());
        }
    }
    if let Some(own) = message.headers.as_ref().map(RawJson::as_str) {
        headers.insert("Rillflow-Headers", one_line(own));
    }
    headers
}

impl Transport for JetStream {
    async fn publish(&self, messages: &[OutboxMessage]) -> Vec<Result<(), BoxError>> {
        let mut under_way = Vec::new();
        for message in messages {
            under_way.push(self.send(message).await);
        }
        let mut answers = Vec::new();
        for sent in under_way {
            answers.push(match sent {
                Ok(answer) => answer.await.map(drop).map_err(Into::into),
                Err(error) => Err(error),
            });
        }
        answers
    }
}
