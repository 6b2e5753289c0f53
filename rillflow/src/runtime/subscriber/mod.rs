//! Subscriptions: members that read the log up to the mark, hand events out, and store what is done.

mod aside;
mod consumer;
mod members;
mod running;
mod start;
mod tail;
mod window;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use sqlx::PgConnection;
use tokio::sync::{Notify, oneshot, watch};
use uuid::Uuid;

pub(crate) use members::Members;
pub(crate) use running::Running;
pub(crate) use start::{create, subscribe};
pub(crate) use tail::tail;
pub(crate) use window::Limits;
use window::{GivenUp, Take, Window};

use super::{Core, SharedCore};
use crate::model::EventEnvelope;
use crate::observe::measure;
pub(crate) use crate::storage::subscriptions::Source;
use crate::storage::subscriptions::{self, Aside, GroupKey, Holding, Nack};
use crate::{Error, Result};

/// How many leases a transaction that acknowledged may stand idle, before the server ends it.
const IDLE_LEASES: f64 = 1.25;

/// What a subscription's task, its receiver and its handle share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) key: GroupKey,
    pub(crate) member: Uuid,
    source: Source,
    /// How many partitions the group has.
    partitions: i32,
    batch: usize,
    ttl: Duration,
    /// How often an event is tried before it becomes a dead letter.
    attempts: i32,
    window: Mutex<Window>,
    /// Held while an event goes out of the line, or what waited there is taken in hand: an event that is due again before
    /// the window knows that it was refused would be in hand for the server, and for nobody here.
    aside: tokio::sync::Mutex<()>,
    /// Wakes the task.
    work: Notify,
    /// Wakes the receiver.
    ready: AtomicWaker,
    stop: watch::Sender<bool>,
    /// The receiver went with something in hand, and nobody had asked for the end.
    dropped: AtomicBool,
    /// Set when nothing more comes.
    end: watch::Sender<Option<End>>,
    trouble: Mutex<Option<Trouble>>,
}

/// How a subscription ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Stopped,
    /// The event at the checkpoint is another one.
    Diverged(i64),
    /// It was deleted.
    Deleted,
}

/// What keeps a subscription from going on, until it does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Trouble {
    /// What went wrong the last time.
    pub error: String,
    /// How often it went wrong in a row.
    pub times: u32,
    /// When it went wrong the first time.
    pub since: Instant,
}

/// What a member has in hand.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SubscriptionHealth {
    /// What keeps it from going on; `None` while all is well. It is tried again until it works.
    pub trouble: Option<Trouble>,
    /// The partitions that are ours; none while another member has them.
    pub partitions: Vec<i32>,
    /// How many events are taken and not acknowledged.
    pub in_flight: usize,
    /// How many events are read and not taken.
    pub ready: usize,
}

impl Shared {
    pub(crate) fn new(key: GroupKey, source: Source, partitions: i32, limits: Limits, ttl: Duration) -> Self {
        Self {
            window: Mutex::new(Window::new(key.subscription.clone(), limits)),
            aside: tokio::sync::Mutex::default(),
            key,
            member: Uuid::new_v4(),
            source,
            partitions,
            batch: limits.batch,
            ttl,
            attempts: limits.attempts,
            work: Notify::new(),
            ready: AtomicWaker::new(),
            stop: watch::Sender::new(false),
            dropped: AtomicBool::new(false),
            end: watch::Sender::new(None),
            trouble: Mutex::new(None),
        }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        // every change under it is whole before anything can panic
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what the server says is ours.
    fn hold(&self, holding: Holding, sure_until: Instant) {
        self.window().hold(holding, sure_until);
        self.work.notify_one();
        self.ready.wake();
    }

    /// Nothing more comes.
    pub(crate) fn finish(&self, end: End) {
        self.window().end();
        self.end.send_if_modified(|known| known.is_none() && known.replace(end).is_none());
        self.ready.wake();
    }

    /// Asks the task to give back what it holds, and to end.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// As [`stop`](Self::stop), since the receiver is gone: what it took is done by nobody.
    pub(crate) fn receiver_dropped(&self) {
        self.dropped.fetch_or(!*self.stop.borrow(), Ordering::Relaxed);
        self.stop();
    }

    /// Partitions of which something was in hand when the receiver went.
    fn dropped(&self) -> Vec<i32> {
        if self.dropped.load(Ordering::Relaxed) { self.window().in_hand() } else { Vec::new() }
    }

    /// Waits for the end; the error that brought it about.
    pub(crate) async fn ended(&self) -> Result<()> {
        let mut end = self.end.subscribe();
        let end = end.wait_for(Option::is_some).await;
        // the sender is ours, so it cannot be gone
        end.map_or(Ok(()), |end| self.why(end.as_ref()))
    }

    /// Why it ended, when that is an error.
    pub(crate) fn why_ended(&self) -> Result<()> {
        self.why(self.end.borrow().as_ref())
    }

    fn why(&self, end: Option<&End>) -> Result<()> {
        let name = self.key.subscription.clone();
        match end {
            None | Some(End::Stopped) => Ok(()),
            Some(End::Diverged(position)) => Err(Error::HistoryDiverged { name, position: *position }),
            Some(End::Deleted) => Err(Error::UnknownSubscription { name }),
        }
    }

    /// The next event, once there is one; `None` at the end.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<EventEnvelope>> {
        // first, so that what comes between the look and the wait is not missed
        self.ready.register(cx.waker());
        let mut window = self.window();
        let take = window.take(Instant::now());
        let low = window.runs_low();
        drop(window);
        match take {
            Take::Event(event) => {
                if low {
                    self.work.notify_one();
                }
                Poll::Ready(Some(event))
            }
            Take::Nothing => Poll::Pending,
            Take::Ended => Poll::Ready(None),
        }
    }

    /// Whether an event was taken here, is not done, and is surely still ours.
    pub(crate) fn has_in_hand(&self, position: i64) -> bool {
        self.window().has_in_hand(position, Instant::now())
    }

    /// Notes that an event is done, without waiting for that to be stored.
    pub(crate) fn ack_later(&self, position: i64) {
        // one that was lost comes again, to whoever owns it now
        if let Ok(Some(_nobody_waits)) = self.window().ack(position) {
            self.work.notify_one();
        }
    }

    /// Has an event given up soon, that was tried so often since it was taken.
    pub(crate) fn give_up_later(&self, position: i64, tries: i32, reason: String) {
        self.window().given_up.push(GivenUp { position, reason, tries });
        self.work.notify_one();
    }

    /// How often an event in hand was tried before it was taken.
    pub(crate) fn attempts(&self, position: i64) -> i32 {
        self.window().attempts(position)
    }

    /// Has events in hand wait out of the line, with what was read of their streams: others take their place.
    pub(crate) fn put_back(&self, events: Vec<Aside>) {
        self.window().put_back(events);
        self.work.notify_one();
        self.ready.wake();
    }

    /// Acknowledges events, and waits until that is stored.
    pub(crate) async fn ack(&self, positions: &[i64]) -> Result<()> {
        let mut answers: Vec<oneshot::Receiver<Result<()>>> = Vec::new();
        for position in positions {
            answers.extend(self.window().ack(*position)?);
        }
        self.work.notify_one();
        self.ready.wake(); // there is room for another one in flight
        for (answer, position) in answers.into_iter().zip(positions) {
            let gone = || Error::SubscriptionLost { name: self.key.subscription.clone(), position: *position };
            answer.await.map_err(|_| gone())??;
        }
        Ok(())
    }

    /// Acknowledges every event that was taken up to a position.
    pub(crate) async fn ack_up_to(&self, position: i64) -> Result<()> {
        let taken = self.window().taken_up_to(position);
        self.ack(&taken).await
    }

    /// Acknowledges an event in the caller's transaction.
    pub(crate) async fn ack_in(&self, core: &Core, tx: &mut PgConnection, position: i64) -> Result<()> {
        let one = self.window().one(position);
        let ack = match one {
            Ok(one) => one.ack,
            Err(error) => {
                subscriptions::refuse(tx, &core.texts).await;
                return Err(error);
            }
        };
        // its partition cannot be taken over as long as it stands: not by one that was killed, nor by one that is frozen
        let idle = self.ttl.mul_f64(IDLE_LEASES);
        let reached = subscriptions::ack(tx, &core.texts, &self.key, &ack, Some(idle)).await?;
        let took = self.window().in_transaction(&ack, position, &reached);
        measure::acknowledged(&self.key.subscription, &self.key.group, took.as_slice());
        self.work.notify_one();
        self.ready.wake();
        Ok(())
    }

    /// Has an event tried again after a pause; `None` gives it up at once. It was tried so often since it was taken.
    pub(crate) async fn nack(
        &self,
        core: &SharedCore,
        position: i64,
        pause: Option<Duration>,
        reason: &str,
        tries: i32,
    ) -> Result<()> {
        let _nothing_is_taken = self.aside.lock().await;
        let one = self.window().one(position)?;
        let (ack, stream_id, in_line) = (one.ack.clone(), one.stream, !one.ack.acked.is_empty());
        let most = if pause.is_some() { self.attempts } else { 0 };
        let nack = Nack { ack, position, stream_id, in_line, pause: pause.unwrap_or_default(), most, reason, tries };
        let mut conn = core.pool.acquire().await?;
        let tried = subscriptions::nack(&mut conn, &core.texts, &self.key, &nack).await?;
        self.window().nacked(&nack.ack, position, pause.filter(|_| tried > 0));
        measure::refused(&self.key.subscription, &self.key.group);
        self.work.notify_one();
        self.ready.wake();
        Ok(())
    }

    fn failed(&self, error: &Error) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let (times, since) = trouble.as_ref().map_or((0, Instant::now()), |it| (it.times, it.since));
        *trouble = Some(Trouble { error: error.to_string(), times: times + 1, since });
    }

    fn works(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What it has in hand, and what troubles it.
    pub(crate) fn health(&self) -> SubscriptionHealth {
        let (partitions, in_flight, ready) = self.window().counts();
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        SubscriptionHealth { trouble, partitions, in_flight, ready }
    }
}
