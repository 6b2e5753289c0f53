//! Relays: from the outbox, or from events, to a transport.

use super::Subscriptions;
use crate::Result;
use crate::model::{AckMode, EventEnvelope, Message, SubscriptionFilter, SubscriptionOptions, Transport};
use crate::runtime::relay::{self as runtime, RelayOptions, ToMessage, from_event, from_outbox};
use crate::runtime::subscriber::{self, Running, Source, SubscriptionHealth};

impl Subscriptions {
    /// Hands the messages of the outbox to a transport, from now on until the relay is dropped or shut down.
    ///
    /// Each message is handed on at least once, those of one key in their order; a message that fails too often becomes
    /// a dead letter. It is a subscription of this name, group `relay`: any number of processes may run it and share the
    /// keys, and what tells of subscriptions, pauses them and requeues dead letters works on it too. Once handed on,
    /// messages are deleted unless the options say otherwise; so run relays of one name only, or keep them.
    ///
    /// ```no_run
    /// # use rillflow::{BoxError, OutboxMessage, Transport};
    /// # struct Printer;
    /// # impl Transport for Printer {
    /// #     async fn publish(&self, messages: &[OutboxMessage]) -> Vec<Result<(), BoxError>> { vec![] }
    /// # }
    /// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
    /// let relay = store.subscriptions().relay_outbox("to-printer", Printer, Default::default()).await?;
    /// // later
    /// relay.shutdown().await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn relay_outbox(&self, name: &str, transport: impl Transport, options: RelayOptions) -> Result<Relay> {
        let sweeps = !options.keep;
        self.relay(name, Source::Outbox { kept: options.keep }, transport, options, Box::new(from_outbox), sweeps).await
    }

    /// Hands events to a transport as messages, as [`relay_outbox`](Self::relay_outbox) does those of the outbox.
    ///
    /// `message` makes the message of an event; `None` sends nothing. Its id is always the event's, so that the receiver
    /// knows an event that comes again. Keys should not gather events of several streams: only those of one stream
    /// arrive in their order.
    ///
    /// ```no_run
    /// # use rillflow::{BoxError, OutboxMessage, Transport};
    /// # struct Printer;
    /// # impl Transport for Printer {
    /// #     async fn publish(&self, messages: &[OutboxMessage]) -> Vec<Result<(), BoxError>> { vec![] }
    /// # }
    /// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
    /// use rillflow::Message;
    /// use rillflow::subscriptions::SubscriptionFilter;
    ///
    /// let orders = SubscriptionFilter::default().categories(["order"]);
    /// let to_message = |event: &rillflow::EventEnvelope| {
    ///     Some(Message::new("orders", event.stream_id, &serde_json::json!({ "type": event.typ })))
    /// };
    /// let relay =
    ///     store.subscriptions().relay_events("orders", orders, to_message, Printer, Default::default()).await?;
    /// # relay.shutdown().await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`relay_outbox`](Self::relay_outbox).
    pub async fn relay_events(
        &self,
        name: &str,
        filter: SubscriptionFilter,
        message: impl Fn(&EventEnvelope) -> Option<Message> + Send + Sync + 'static,
        transport: impl Transport,
        options: RelayOptions,
    ) -> Result<Relay> {
        let to_message =
            move |event: EventEnvelope| message(&event).map(|message| from_event(&event, message)).transpose();
        self.relay(name, Source::Events(filter), transport, options, Box::new(to_message), false).await
    }

    async fn relay(
        &self,
        name: &str,
        source: Source,
        transport: impl Transport,
        options: RelayOptions,
        to_message: ToMessage,
        sweeps: bool,
    ) -> Result<Relay> {
        let core = self.core()?;
        let subscription = SubscriptionOptions {
            group: Some("relay".to_owned()),
            ack_mode: AckMode::Manual,
            partitions: options.partitions,
            max_in_flight: options.max_in_flight,
            lease_ttl: options.lease_ttl,
            max_attempts: i32::try_from(options.max_attempts).unwrap_or(i32::MAX),
            ..Default::default()
        };
        let (shared, task) = subscriber::subscribe(core, name, source, &subscription).await?;
        let relay =
            runtime::Relay { core: core.clone(), shared: shared.clone(), transport, to_message, options, sweeps };
        Ok(Relay { running: Running::new(shared, [relay.begin(), task]) })
    }
}

/// A running relay. Dropping it stops it where it is: what was not acknowledged is handed on again by the next one, once
/// its lease has run out. [`shutdown`](Self::shutdown) gives everything back at once.
#[derive(Debug)]
#[must_use = "the relay stops when it is dropped"]
pub struct Relay {
    running: Running,
}

impl Relay {
    /// What it has in hand, and what keeps it from going on. Asks nobody.
    #[must_use]
    pub fn health(&self) -> SubscriptionHealth {
        self.running.health()
    }

    /// Stores what was handed on, gives back what is held, and ends. What is in hand is handed on again elsewhere.
    ///
    /// # Errors
    ///
    /// What ended it before, if anything did, such as [`Error::UnknownSubscription`](crate::Error::UnknownSubscription).
    pub async fn shutdown(&self) -> Result<()> {
        self.running.shutdown().await
    }
}
