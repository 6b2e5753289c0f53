use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rillflow::subscriptions::{RelayOptions, SubscriptionFilter};
use rillflow::{BoxError, Event, Expected, Message, OutboxMessage, Store, Transport};
use serde_json::json;
use uuid::Uuid;

use super::until;
use crate::support::{TestResult, store};

/// A receiver that remembers what it got, and does with it what a test says.
#[derive(Clone, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<OutboxMessage>>>,
    /// How often each topic still fails.
    failures: Arc<Mutex<HashMap<String, u32>>>,
    tried: Arc<AtomicUsize>,
}

impl Receiver {
    fn got(&self) -> Vec<OutboxMessage> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keys(&self, key: &str) -> Vec<String> {
        self.got().iter().filter(|it| it.key == key).map(|it| it.payload.to_string()).collect()
    }

    fn tried(&self) -> usize {
        self.tried.load(Ordering::Relaxed)
    }

    fn fail(&self, topic: &str, times: u32) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.to_owned(), times);
    }

    fn take(&self, message: &OutboxMessage) -> Result<(), BoxError> {
        self.tried.fetch_add(1, Ordering::Relaxed);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = failures.get_mut(&message.topic).filter(|it| **it > 0) {
            *left -= 1;
            return Err("refused".into());
        }
        assert!(message.topic != "panic", "a message that the transport does not survive");
        self.got.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
        Ok(())
    }
}

impl Transport for Receiver {
    async fn publish(&self, messages: &[OutboxMessage]) -> Vec<Result<(), BoxError>> {
        let keys: std::collections::HashSet<_> = messages.iter().map(|it| &it.key).collect();
        assert_eq!(keys.len(), messages.len(), "two of one key at a time");
        messages.iter().map(|it| self.take(it)).collect()
    }
}

fn quick() -> RelayOptions {
    let mut options = RelayOptions::default();
    options.first_retry = Duration::from_millis(5);
    options.longest_retry = Duration::from_millis(20);
    options.max_attempts = 4;
    options
}

async fn publish(store: &Store, topic: &str, key: &str, number: i64) -> rillflow::Result<()> {
    store.outbox().publish(Message::new(topic, key, &number).with_headers(&json!({ "n": number }))).await.map(drop)
}

async fn left(store: &Store) -> rillflow::Result<usize> {
    Ok(store.outbox().read(0, 1000).await?.len())
}

#[tokio::test]
async fn messages_arrive_in_the_order_of_their_keys_and_go_from_the_outbox() -> TestResult {
    let (_db, store) = store().await?;
    let receiver = Receiver::default();
    receiver.fail("shaky", 2);
    for number in 0..6 {
        publish(&store, if number == 2 { "shaky" } else { "steady" }, ["a", "b"][number as usize % 2], number).await?;
    }
    let relay = store.subscriptions().relay_outbox("relay", receiver.clone(), quick()).await?;
    publish(&store, "steady", "a", 6).await?;
    until("all handed on", || async { Ok(receiver.got().len() == 7) }).await?;
    assert_eq!(receiver.keys("a"), ["0", "2", "4", "6"], "the second failed twice");
    assert_eq!(receiver.keys("b"), ["1", "3", "5"]);
    let first = &receiver.got()[0];
    assert_eq!(first.headers.as_ref().expect("its own").parse::<serde_json::Value>()?, json!({ "n": 0 }));
    until("an empty outbox", || async { Ok(left(&store).await? == 0) }).await?;
    relay.shutdown().await?;

    publish(&store, "steady", "a", 7).await?;
    let mut options = quick();
    options.keep = true;
    let relay = store.subscriptions().relay_outbox("relay", receiver.clone(), options).await?;
    until("the next", || async { Ok(receiver.keys("a").len() == 5) }).await?;
    relay.shutdown().await?;
    assert_eq!(left(&store).await?, 1, "kept");
    Ok(())
}

#[tokio::test]
async fn a_message_that_never_works_becomes_a_dead_letter_and_others_of_its_key_go_on() -> TestResult {
    let (_db, store) = store().await?;
    let receiver = Receiver::default();
    let relay = store.subscriptions().relay_outbox("relay", receiver.clone(), quick()).await?;
    receiver.fail("broken", u32::MAX);
    publish(&store, "broken", "a", 1).await?;
    publish(&store, "panic", "b", 2).await?;
    publish(&store, "fine", "a", 3).await?;
    let subscriptions = store.subscriptions();
    until("dead letters", || async { Ok(subscriptions.dead_letters("relay", None, 9).await?.len() == 2) }).await?;
    // more than once, when the panic of the other took its answer away
    let once = |key: &str| {
        let mut keys = receiver.keys(key);
        keys.dedup();
        keys
    };
    until("the next of the key", || async { Ok(once("a") == ["3"]) }).await?;
    tokio::time::sleep(Duration::from_millis(1200)).await; // longer than from one sweep to the next
    assert_eq!(left(&store).await?, 2, "what is a dead letter stays");

    receiver.fail("broken", 0);
    let letters = subscriptions.dead_letters("relay", None, 9).await?;
    let broken = &letters[0]; // in the order they were published
    assert_eq!(subscriptions.requeue("relay", &[broken.id]).await?, 1);
    until("requeued", || async { Ok(once("a") == ["3", "1"]) }).await?;
    relay.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn a_key_that_fails_holds_up_no_other_however_many_of_its_messages_wait() -> TestResult {
    let (_db, store) = store().await?;
    let receiver = Receiver::default();
    receiver.fail("broken", u32::MAX);
    let mut options = quick();
    (options.max_in_flight, options.max_attempts) = (8, 1000);
    let relay = store.subscriptions().relay_outbox("relay", receiver.clone(), options).await?;
    for number in 0..300 {
        publish(&store, "broken", "a", number).await?;
    }
    for number in 0..100 {
        publish(&store, if number % 10 == 3 { "shaky" } else { "fine" }, &format!("key-{}", number % 5), number)
            .await?;
        receiver.fail("shaky", 1);
    }
    until("the others", || async { Ok(receiver.got().len() == 100) }).await?;
    assert!(relay.health().in_flight <= 8);
    for key in 0..5_i64 {
        let expected: Vec<_> = (0..20).map(|it| (it * 5 + key).to_string()).collect();
        assert_eq!(receiver.keys(&format!("key-{key}")), expected);
    }
    receiver.fail("broken", 0);
    until("all of the key", || async { Ok(receiver.keys("a").len() == 300) }).await?;
    assert_eq!(receiver.keys("a"), (0..300).map(|it| it.to_string()).collect::<Vec<_>>());
    until("an empty outbox", || async { Ok(left(&store).await? == 0) }).await?;
    assert!(store.subscriptions().dead_letters("relay", None, 9).await?.is_empty());
    relay.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn how_often_a_message_was_tried_is_kept_when_it_makes_room_for_others() -> TestResult {
    let (_db, store) = store().await?;
    let receiver = Receiver::default();
    receiver.fail("broken", u32::MAX);
    let mut options = quick();
    (options.max_in_flight, options.max_attempts) = (2, 7);
    let relay = store.subscriptions().relay_outbox("relay", receiver.clone(), options).await?;
    for key in 0..6 {
        publish(&store, "broken", &format!("key-{key}"), key).await?;
    }
    let subscriptions = store.subscriptions();
    until("dead letters", || async { Ok(subscriptions.dead_letters("relay", None, 9).await?.len() == 6) }).await?;
    let letters = subscriptions.dead_letters("relay", None, 9).await?;
    assert!(letters.iter().all(|it| it.attempts == 7), "{letters:?}");
    assert_eq!(receiver.tried(), 6 * 7);
    relay.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn events_become_messages_with_the_ids_of_the_events() -> TestResult {
    let (_db, store) = store().await?;
    let receiver = Receiver::default();
    let event = Event::new("order-placed", &json!({ "total": 7 }));
    let stream = Uuid::now_v7();
    store.events().append_stream(stream, Expected::Any, [event, Event::new("noise", &1)]).await?;
    let filter = SubscriptionFilter::default();
    let message = |it: &rillflow::EventEnvelope| {
        (&*it.typ == "order-placed").then(|| Message::new("orders", it.stream_id, &json!({ "order": it.stream_id })))
    };
    let relay = store.subscriptions().relay_events("orders", filter, message, receiver.clone(), quick()).await?;
    until("handed on", || async { Ok(receiver.got().len() == 1) }).await?;
    let (sent, stored) = (&receiver.got()[0], &store.events().read_stream(stream).await?[0]);
    assert_eq!((sent.message_id, &*sent.key, &*sent.topic), (stored.event_id, &*stream.to_string(), "orders"));
    let subscriptions = store.subscriptions();
    until("up to date", || async {
        let status = subscriptions.group_status("orders", "relay").await?;
        Ok(status.is_some_and(|it| it.retries == 0 && it.partitions.iter().any(|it| it.position > 0)))
    })
    .await?;
    relay.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn an_event_of_which_no_message_can_be_made_becomes_a_dead_letter_and_holds_nothing_up() -> TestResult {
    let (_db, store) = store().await?;
    let receiver = Receiver::default();
    let events = [1, 2, 3].map(|n| Event::new("number", &n));
    store.events().append_stream(Uuid::now_v7(), Expected::Any, events).await?;
    let message = |it: &rillflow::EventEnvelope| {
        assert!(it.stream_seq != 2, "the second is unlucky");
        Some(Message::new("numbers", it.stream_id, &1))
    };
    let filter = SubscriptionFilter::default();
    let relay = store.subscriptions().relay_events("numbers", filter, message, receiver.clone(), quick()).await?;
    until("handed on", || async { Ok(receiver.got().len() == 2) }).await?;
    let subscriptions = store.subscriptions();
    until("a dead letter", || async { Ok(!subscriptions.dead_letters("numbers", None, 9).await?.is_empty()) }).await?;
    let letters = subscriptions.dead_letters("numbers", None, 9).await?;
    assert!(format!("{letters:?}").contains("the second is unlucky"), "{letters:?}");
    relay.shutdown().await?;
    Ok(())
}

#[cfg(feature = "nats")]
#[tokio::test]
async fn jetstream_gets_every_message_once_though_the_relay_dies_in_between() -> TestResult {
    let Some(server) = super::nats::Server::start().await? else { return Ok(()) };
    let (_db, store) = store().await?;
    let context = async_nats::jetstream::new(async_nats::connect(server.url()).await?);
    let config = async_nats::jetstream::stream::Config {
        name: "shop".into(),
        subjects: vec!["shop.>".into()],
        ..Default::default()
    };
    let mut stream = context.create_stream(config).await?;
    let transport = rillflow::nats::JetStream::new(context).subject_prefix("shop.");
    for number in 0..20 {
        publish(&store, "orders", &format!("key-{}", number % 3), number).await?;
    }
    let mut options = quick();
    options.keep = true;
    let relay = store.subscriptions().relay_outbox("to-nats", transport.clone(), options.clone()).await?;
    let stored = async |stream: &mut async_nats::jetstream::stream::Stream| {
        stream.info().await.expect("the stream tells").state.messages
    };
    until("all are stored", async || Ok(stored(&mut stream).await >= 20)).await?;
    relay.shutdown().await?;
    // as if nothing of it had been acknowledged: everything is sent once more
    store.subscriptions().reset("to-nats", None, 0).await?;
    publish(&store, "orders", "key-0", 20).await?;
    let relay = store.subscriptions().relay_outbox("to-nats", transport, options).await?;
    let subscriptions = store.subscriptions();
    until("all sent again", || async {
        let status = subscriptions.group_status("to-nats", "relay").await?.expect("it is there");
        Ok(status.partitions.iter().filter(|it| it.position > 0).count() >= 3 && relay.health().in_flight == 0)
    })
    .await?;
    until("the last is stored", async || Ok(stored(&mut stream).await >= 21)).await?;
    let mut numbers: HashMap<String, Vec<i64>> = HashMap::new();
    for sequence in 1..=21 {
        let message = stream.get_raw_message(sequence).await?;
        let key = message.headers.get("Rillflow-Key").expect("its key").to_string();
        numbers.entry(key).or_default().push(serde_json::from_slice(&message.payload)?);
    }
    assert_eq!(stored(&mut stream).await, 21, "nothing is there twice");
    assert_eq!(numbers["key-1"], [1, 4, 7, 10, 13, 16, 19]);
    assert_eq!(numbers["key-0"], [0, 3, 6, 9, 12, 15, 18, 20]);
    relay.shutdown().await?;
    Ok(())
}
