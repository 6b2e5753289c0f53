//! Where messages go: what a relay hands them to.

use super::OutboxMessage;
use crate::BoxError;

/// Takes messages to another system.
///
/// A message may come again, after a crash or when its answer was lost: give the receiver
/// [`message_id`](OutboxMessage::message_id) to recognise it by. Messages of one
/// [`key`](OutboxMessage::key) are to arrive in the order in which they come.
///
/// ```
/// use rillflow::{BoxError, OutboxMessage, Transport};
///
/// struct Printer;
///
/// impl Transport for Printer {
///     async fn publish(&self, messages: &[OutboxMessage]) -> Vec<Result<(), BoxError>> {
///         messages.iter().map(|it| Ok(println!("{} {}: {}", it.topic, it.key, it.payload))).collect()
///     }
/// }
/// ```
pub trait Transport: Send + Sync + 'static {
    /// Publishes messages, and returns once the receiver has stored them: an answer for each, in their order. A message
    /// without one counts as failed.
    ///
    /// No two of them have one key: the next of a key comes when this one is done.
    fn publish(&self, messages: &[OutboxMessage]) -> impl Future<Output = Vec<Result<(), BoxError>>> + Send;
}
