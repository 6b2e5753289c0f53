//! The relay: takes messages from a subscription to a transport, each key in its order, until the transport has them.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::append::panicked;
use super::backoff::Backoff;
use super::subscriber::Shared;
use super::{SharedCore, Task};
use crate::model::{EventEnvelope, Message, OutboxMessage, RawJson, Transport};
use crate::observe::operation;
use crate::storage::outbox;
use crate::storage::subscriptions::Aside;
use crate::{BoxError, Result};

/// How often messages that were handed on are deleted, at most.
const SWEEP: Duration = Duration::from_secs(1);
/// How often after the last was handed on: the first time its acknowledgement may not be stored yet.
const SWEEPS: u32 = 3;

/// How a relay works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RelayOptions {
    /// How many messages are in hand at most; 256 by default.
    pub max_in_flight: usize,
    /// Over how many partitions the keys are spread: so many relays of one name can work at a time. 16 by default; fixed
    /// when the name is first used.
    pub partitions: i32,
    /// How often a message is tried before it becomes a dead letter; 10 by default.
    pub max_attempts: u32,
    /// The pause after a first failure. It doubles with each.
    pub first_retry: Duration,
    /// The longest pause between two tries.
    pub longest_retry: Duration,
    /// How long the transport may take for one call; 30 seconds by default.
    pub timeout: Duration,
    /// How long what a relay owns stays its own when nothing is heard of it; 30 seconds by default.
    pub lease_ttl: Duration,
    /// Whether messages stay in the outbox once they were handed on; false by default. Events always stay.
    pub keep: bool,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            max_in_flight: 256,
            partitions: 16,
            max_attempts: 10,
            first_retry: Duration::from_millis(100),
            longest_retry: Duration::from_secs(30),
            timeout: Duration::from_secs(30),
            lease_ttl: Duration::from_secs(30),
            keep: false,
        }
    }
}

/// Turns what a subscription delivers into a message; `None`: there is none to send.
pub(crate) type ToMessage = Box<dyn Fn(EventEnvelope) -> Result<Option<OutboxMessage>> + Send + Sync>;

/// The messages of one key, the first of which is being tried.
struct Queue {
    waiting: VecDeque<OutboxMessage>,
    /// How often the first was tried in all, and before it was taken here.
    backoff: Backoff,
    before: u32,
    due: Instant,
    /// What went wrong the last time.
    error: Option<String>,
}

impl Queue {
    /// How often the first was tried here.
    fn tries(&self) -> i32 {
        i32::try_from(self.backoff.tries() - self.before).unwrap_or(i32::MAX)
    }

    fn fails(&self) -> bool {
        self.error.is_some()
    }

    /// What is in hand of it, to wait out of the line.
    fn aside(&self, now: Instant) -> impl Iterator<Item = Aside> {
        let pause = self.due.saturating_duration_since(now);
        let first = (self.tries(), pause, self.error.clone());
        let others = std::iter::repeat((0, Duration::ZERO, None));
        self.waiting.iter().zip(std::iter::once(first).chain(others)).map(|(message, (tries, pause, reason))| Aside {
            position: message.position,
            stream_id: uuid::Uuid::nil(), // its item knows
            tries,
            pause,
            reason,
            suspect: false,
        })
    }
}

pub(crate) struct Relay<T> {
    pub(crate) core: SharedCore,
    pub(crate) shared: Arc<Shared>,
    pub(crate) transport: T,
    pub(crate) to_message: ToMessage,
    pub(crate) options: RelayOptions,
    /// Whether its messages come from the outbox, and go from there once they were handed on.
    pub(crate) sweeps: bool,
}

/// A message's key and headers, as `read_outbox_partitions` puts them.
#[derive(Deserialize)]
struct Sealed {
    key: String,
    headers: Option<Box<RawValue>>,
}

/// The message that an envelope made from a row of the outbox holds.
pub(crate) fn from_outbox(row: EventEnvelope) -> Result<Option<OutboxMessage>> {
    let sealed = row.headers.as_ref().map(RawJson::parse::<Sealed>).transpose()?;
    let (key, headers) = sealed.map_or((String::new(), None), |it| (it.key, it.headers));
    Ok(Some(OutboxMessage {
        position: row.global_seq,
        message_id: row.event_id,
        topic: row.typ.into(),
        key,
        headers: headers.map(|it| RawJson::from_text(it.get())),
        payload: row.body,
        causation_id: row.causation_id,
        correlation_id: row.correlation_id,
        created_at: row.created_at,
    }))
}

/// The message that an event becomes. Its id is the event's, so that it is known when it comes again.
pub(crate) fn from_event(event: &EventEnvelope, message: Message) -> Result<OutboxMessage> {
    Ok(OutboxMessage {
        position: event.global_seq,
        message_id: event.event_id,
        topic: message.topic,
        key: message.key,
        headers: message.headers.transpose()?,
        payload: message.payload?,
        causation_id: message.causation_id.or(event.causation_id),
        correlation_id: message.correlation_id.or(event.correlation_id),
        created_at: event.created_at,
    })
}

impl<T: Transport> Relay<T> {
    /// Begins. It ends with the value returned.
    pub(crate) fn begin(self) -> Task {
        Task::spawn(self.run())
    }

    async fn run(self) {
        let mut queues: BTreeMap<String, Queue> = BTreeMap::new();
        let mut swept = Instant::now();
        let mut sweeps = 0;
        // while nothing works at all, little is gained by trying other keys
        let mut makes_room = Backoff::new(self.options.first_retry, self.options.longest_retry);
        let mut room_again = Instant::now();
        while let Some(taken) = self.next(&queues).await {
            taken.into_iter().for_each(|event| self.enqueue(&mut queues, event));
            self.forget_lost(&mut queues);
            let now = Instant::now();
            let first = queues.values().filter(|it| it.due <= now).filter_map(|it| it.waiting.front().cloned());
            let wave: Vec<_> = first.collect();
            if !wave.is_empty() {
                let answers = self.publish(&wave).await;
                if self.settle(&mut queues, &wave, answers) {
                    sweeps = SWEEPS;
                    makes_room.reset();
                    room_again = Instant::now();
                }
            }
            if room_again <= Instant::now() && self.make_room(&mut queues) {
                room_again = Instant::now() + makes_room.next();
            }
            if self.sweeps && sweeps > 0 && swept.elapsed() >= SWEEP {
                swept = Instant::now();
                sweeps -= 1;
                self.sweep().await;
            }
        }
    }

    /// What is there to take now; waits for it, or until a message is to be tried again. `None`: the end.
    async fn next(&self, queues: &BTreeMap<String, Queue>) -> Option<Vec<EventEnvelope>> {
        let mut taken = Vec::new();
        let arrived = poll_fn(|cx| {
            loop {
                match self.shared.poll_take(cx) {
                    Poll::Ready(Some(event)) => taken.push(event),
                    Poll::Ready(None) => return Poll::Ready(false),
                    Poll::Pending if taken.is_empty() => return Poll::Pending,
                    Poll::Pending => return Poll::Ready(true),
                }
            }
        });
        let due = queues.values().map(|it| it.due).min();
        let pause = due.map_or(SWEEP, |due| due.saturating_duration_since(Instant::now()));
        let goes_on = tokio::time::timeout(pause, arrived).await.unwrap_or(true);
        goes_on.then_some(taken)
    }

    fn enqueue(&self, queues: &mut BTreeMap<String, Queue>, event: EventEnvelope) {
        let position = event.global_seq;
        match self.message_of(event) {
            Ok(Some(message)) => {
                let (waiting, due) = (VecDeque::new(), Instant::now());
                let backoff = Backoff::new(self.options.first_retry, self.options.longest_retry);
                let new = || Queue { waiting, backoff, before: 0, due, error: None };
                let queue = queues.entry(message.key.clone()).or_insert_with(new);
                queue.waiting.push_back(message);
                if queue.waiting.len() == 1 {
                    self.begin_first(queue);
                }
            }
            Ok(None) => self.shared.ack_later(position),
            Err(reason) => self.shared.give_up_later(position, 1, reason),
        }
    }

    /// The message of an event, by the application's own function, whose panic is a failure of this event.
    fn message_of(&self, event: EventEnvelope) -> Result<Option<OutboxMessage>, String> {
        match std::panic::catch_unwind(AssertUnwindSafe(|| (self.to_message)(event))) {
            Ok(message) => message.map_err(|error| error.to_string()),
            Err(panic) => Err(panicked(&*panic)),
        }
    }

    /// Begins to try the first of a queue, which may have been tried before.
    fn begin_first(&self, queue: &mut Queue) {
        let position = queue.waiting.front().map(|it| it.position);
        queue.before = position.map_or(0, |it| u32::try_from(self.shared.attempts(it)).unwrap_or(0));
        queue.backoff = queue.backoff.after(queue.before);
        (queue.due, queue.error) = (Instant::now(), None);
    }

    /// Has keys that fail wait out of the line, when they fill most of what may be in hand: others take their place. True:
    /// there were such.
    fn make_room(&self, queues: &mut BTreeMap<String, Queue>) -> bool {
        let failing: usize = queues.values().filter(|it| it.fails()).map(|it| it.waiting.len()).sum();
        if failing == 0 || failing * 2 < self.options.max_in_flight {
            return false;
        }
        let now = Instant::now();
        let aside: Vec<_> = queues.values().filter(|it| it.fails()).flat_map(|it| it.aside(now)).collect();
        queues.retain(|_, queue| !queue.fails());
        self.shared.put_back(aside);
        true
    }

    /// Forgets messages that another relay has by now: sent from here, they could overtake.
    fn forget_lost(&self, queues: &mut BTreeMap<String, Queue>) {
        queues.retain(|_, queue| {
            queue.waiting.retain(|it| self.shared.has_in_hand(it.position));
            !queue.waiting.is_empty()
        });
    }

    /// Hands messages to the transport: an answer for each, whatever it does.
    async fn publish(&self, wave: &[OutboxMessage]) -> Vec<Result<(), BoxError>> {
        let publishing = AssertUnwindSafe(async { self.transport.publish(wave).await }).catch_unwind();
        let operation = operation!(&self.core, "publish", &*self.shared.key.subscription).events(wave.len());
        let published = operation.run_any(tokio::time::timeout(self.options.timeout, publishing)).await;
        let mut answers = match published {
            Ok(Ok(answers)) => answers,
            Ok(Err(_panic)) => wave.iter().map(|_| Err("the transport panicked".into())).collect(),
            Err(_late) => wave.iter().map(|_| Err("the transport did not answer in time".into())).collect(),
        };
        answers.resize_with(wave.len(), || Err("the transport gave no answer".into()));
        answers
    }

    /// Acknowledges what was handed on, gives up what failed too often, and has the rest tried again. True: something was
    /// handed on.
    fn settle(
        &self,
        queues: &mut BTreeMap<String, Queue>,
        wave: &[OutboxMessage],
        answers: Vec<Result<(), BoxError>>,
    ) -> bool {
        let mut handed_on = Vec::new();
        for (message, answer) in wave.iter().zip(answers) {
            let Some(queue) = queues.get_mut(&message.key) else { continue };
            if let Err(error) = answer {
                let pause = queue.backoff.next();
                queue.error = Some(error.to_string());
                tracing::warn!(relay = self.shared.key.subscription, message = %message.message_id, %error, "could not hand a message on");
                if queue.backoff.tries() < self.options.max_attempts {
                    queue.due = Instant::now() + pause;
                    continue;
                }
                self.shared.give_up_later(message.position, queue.tries(), error.to_string());
            } else {
                handed_on.push(message.position);
            }
            queue.waiting.pop_front();
            self.begin_first(queue);
            if queue.waiting.is_empty() {
                queues.remove(&message.key);
            }
        }
        handed_on.iter().for_each(|position| self.shared.ack_later(*position));
        !handed_on.is_empty()
    }

    /// Deletes what relays of this name have handed on.
    async fn sweep(&self) {
        let swept = async {
            let mut conn = self.core.pool.acquire().await?;
            outbox::delete_relayed(&mut conn, &self.core.texts, &self.shared.key).await
        };
        if let Err(error) = swept.await {
            tracing::warn!(relay = self.shared.key.subscription, %error, "could not delete messages that were handed on");
        }
    }
}
