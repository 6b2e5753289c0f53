//! The task of one member: reads ahead, stores what is done, gives back what is no longer its share.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::members::{Members, Membership};
use super::{End, Shared};
use crate::observe::{delivering, measure, operation};
use crate::runtime::backoff::Backoff;
use crate::runtime::connections::Connection;
use crate::runtime::marks::Marks;
use crate::runtime::{SharedCore, Task};
use crate::storage::subscriptions::{self, Partition, Scan};
use crate::{Error, Result};

/// How long the server may take to answer: a connection that is silent for longer is given up.
const DEADLINE: Duration = Duration::from_secs(15);
/// How much of the log one statement looks at, at most, for each event it may return.
const SCANNED_PER_EVENT: i64 = 200;
/// How soon a transaction that acknowledged is looked at again.
const UNSURE: Duration = Duration::from_millis(20);
/// How often the checkpoints of partitions in which nothing is to be done follow what was read, at most.
const FOLLOW: Duration = Duration::from_secs(1);
/// How often a member that ends tries to store what is done.
const LAST_TRIES: u32 = 3;

/// An answer of the server, or none in time.
pub(super) struct Answer<T>(Option<Result<T>>);

/// Waits for an answer, but not for ever.
pub(super) async fn asked<T>(question: impl Future<Output = Result<T>>) -> Answer<T> {
    Answer(tokio::time::timeout(DEADLINE, question).await.ok())
}

impl<T> Answer<T> {
    /// The answer; a connection that gave none is closed.
    pub(super) fn settle(self, conn: Connection) -> Result<T> {
        self.0.unwrap_or_else(|| {
            drop(conn.detach());
            let late = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer from PostgreSQL in time");
            Err(sqlx::Error::Io(late).into())
        })
    }
}

/// Begins a member. Its task ends with the value returned.
pub(crate) fn begin(core: &SharedCore, shared: &Arc<Shared>) -> Task {
    let membership = Some(Members::join(core, shared));
    let consumer = Consumer { core: core.clone(), shared: shared.clone(), membership, followed: Instant::now() };
    Task::spawn(consumer.run())
}

pub(super) struct Consumer {
    pub(super) core: SharedCore,
    pub(super) shared: Arc<Shared>,
    membership: Option<Membership>,
    /// When checkpoints last followed what was read.
    followed: Instant,
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.shared.finish(End::Stopped);
    }
}

impl Consumer {
    async fn run(mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(2));
        let (mut stop, mut end) = (self.shared.stop.subscribe(), self.shared.end.subscribe());
        let mut mark = Marks::follow(&self.core);
        while !*stop.borrow() && end.borrow().is_none() {
            let known = *mark.borrow_and_update();
            let pause = match self.round(known).await {
                Ok(true) => continue,
                Ok(false) => {
                    let (position, in_flight) = self.shared.window().measured();
                    let key = &self.shared.key;
                    measure::delivered(&key.subscription, &key.group, in_flight, position.unwrap_or(known), known);
                    backoff.reset();
                    self.shared.works();
                    self.pause()
                }
                Err(error) => match fatal(&error) {
                    Some(end) => return self.shared.finish(end),
                    None => {
                        tracing::warn!(subscription = self.shared.key.subscription, %error, "a subscription stands still; trying again");
                        self.shared.failed(&error);
                        tokio::time::sleep(backoff.next()).await;
                        continue;
                    }
                },
            };
            tokio::select! {
                _moved = mark.changed() => {}
                () = self.shared.work.notified() => {}
                _stopped = stop.changed() => {}
                _ended = end.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.leave().await;
    }

    /// How long there is surely nothing to do, unless somebody says so.
    fn pause(&self) -> Duration {
        let window = self.shared.window();
        if !window.unsure().is_empty() {
            return UNSURE;
        }
        let follow = (!window.behind().is_empty()).then_some(self.followed + FOLLOW);
        let next = window.next_due().into_iter().chain(follow).min();
        next.map_or(Duration::from_secs(3600), |due| due.saturating_duration_since(Instant::now()))
    }

    /// Does what there is to do. True: there may be more.
    async fn round(&mut self, mark: i64) -> Result<bool> {
        self.take_over().await?;
        self.look_aside().await?;
        let mut moved = self.store().await?;
        moved |= self.give_up().await?;
        self.set_aside().await?;
        moved |= self.give_back().await?;
        moved |= self.read_again().await?;
        moved |= self.read(mark).await?;
        if self.followed.elapsed() >= FOLLOW {
            self.follow().await?;
        }
        Ok(moved)
    }

    pub(super) async fn connection(&self) -> Result<Connection> {
        self.core.pool.acquire().await
    }

    /// Begins partitions just taken over: as they are good for this history, with what the owner before left.
    async fn take_over(&self) -> Result<()> {
        let fresh = self.shared.window().fresh();
        let mut begun = Vec::new();
        for taken in fresh {
            begun.extend(self.resume(taken).await?);
        }
        if !begun.is_empty() {
            let held: Vec<_> = begun.iter().map(|it| (it.number, it.token)).collect();
            let (key, most) = (&self.shared.key, self.shared.attempts);
            let mut conn = self.connection().await?;
            let answer = asked(subscriptions::recover(&mut conn, &self.core.texts, key, &held, most)).await;
            answer.settle(conn)?;
            self.shared.window().begin(begun);
        }
        Ok(())
    }

    /// A partition as it is good for this history, and stored so; `None`: it has another owner.
    async fn resume(&self, taken: Partition) -> Result<Option<Partition>> {
        let mut conn = self.connection().await?;
        let (texts, key) = (&self.core.texts, &self.shared.key);
        let answer = asked(async {
            let known = subscriptions::resume(&mut conn, texts, &self.shared.source, &taken).await?;
            let diverged =
                || Error::HistoryDiverged { name: key.subscription.clone(), position: taken.checkpoint.position };
            let known = known.ok_or_else(diverged)?;
            let ours =
                known.checkpoint == taken.checkpoint || subscriptions::enter(&mut conn, texts, key, &known).await?;
            Ok(ours.then_some(known))
        });
        answer.await.settle(conn)
    }

    /// Moves the checkpoints of partitions in which nothing is to be done.
    async fn follow(&mut self) -> Result<()> {
        self.followed = Instant::now();
        let behind = self.shared.window().behind();
        if behind.is_empty() {
            return Ok(());
        }
        let mut conn = self.connection().await?;
        let answer = asked(subscriptions::follow(&mut conn, &self.core.texts, &self.shared.key, &behind)).await;
        let stored = answer.settle(conn)?;
        self.shared.window().followed(&behind, &stored);
        Ok(())
    }

    /// Stores what is done.
    async fn store(&self) -> Result<bool> {
        let (acks, key) = (self.shared.window().take_done(), &self.shared.key);
        for ack in &acks {
            let mut conn = self.connection().await?;
            let operation =
                operation!(&self.core, "ack", &*key.subscription).events(ack.acked.len() + ack.retried.len());
            let storing = asked(subscriptions::ack(&mut conn, &self.core.texts, key, ack, None));
            match operation.run_any(storing).await.settle(conn) {
                Ok(reached) => {
                    let took = self.shared.window().stored(ack, &reached);
                    measure::acknowledged(&key.subscription, &key.group, &took);
                }
                Err(Error::SubscriptionLost { .. }) => self.lost(ack.partition, ack.token),
                Err(error) => return Err(error),
            }
        }
        Ok(!acks.is_empty())
    }

    /// Forgets a partition that is not ours any more; if it is, it is taken up anew.
    pub(super) fn lost(&self, partition: i32, token: i64) {
        self.shared.window().lose_token(partition, token);
        self.core.members.look_again();
    }

    /// Gives back what is no longer our share and no longer in hand.
    async fn give_back(&mut self) -> Result<bool> {
        let drained = self.shared.window().drained();
        if drained.is_empty() {
            return Ok(false);
        }
        self.follow().await?;
        let mut conn = self.connection().await?;
        let answer = asked(subscriptions::release(&mut conn, &self.core.texts, &self.shared.key, &drained)).await;
        let given = answer.settle(conn)?;
        let mut window = self.shared.window();
        given.iter().for_each(|number| window.lose(*number));
        Ok(!given.is_empty())
    }

    /// Reads ahead.
    async fn read(&self, mark: i64) -> Result<bool> {
        let Some(plan) = self.shared.window().plan(mark) else { return Ok(false) };
        let limit = self.shared.batch as i64;
        // bounded, so that a filter that lets little pass makes progress that is kept
        let until = plan.until.min(plan.after.saturating_add(limit.saturating_mul(SCANNED_PER_EVENT)));
        let partitions = plan.partitions.iter().map(|it| it.0).collect();
        let (after, epoch, of) = (plan.after, plan.epoch, self.shared.partitions);
        let scan = Scan { after, until, limit, epoch, of, partitions };
        let mut conn = self.connection().await?;
        let waits = self.shared.window().may_wait(&plan);
        let operation = operation!(&self.core, "deliver", &*self.shared.key.subscription);
        let reading = asked(async {
            let (texts, key) = (&self.core.texts, &self.shared.key);
            let events = subscriptions::read_source(&mut conn, texts, &self.shared.source, &scan).await?;
            let Some(events) = events else { return Ok(None) };
            let mut streams = Vec::new();
            if waits && !events.is_empty() {
                let all: Vec<_> = events.iter().map(|(_, event)| event.stream_id.0).collect();
                streams = subscriptions::streams_aside(&mut conn, texts, key, &all).await?;
            }
            Ok(Some((events, streams.into_iter().collect::<HashSet<_>>())))
        });
        let answer = operation.run_any(reading).await;
        let Some((events, aside)) = answer.settle(conn)? else {
            self.shared.window().lose_epoch(epoch);
            self.core.members.look_again();
            return Ok(false);
        };
        delivering(&self.core.observer, &operation, &self.shared.key.subscription, &events);
        let full = events.len() as i64 == limit;
        let read_up_to = events.last().filter(|_| full).map_or(until, |(_, event)| event.global_seq);
        self.shared.window().fill(&plan, events, read_up_to, &aside);
        self.shared.ready.wake();
        Ok(true)
    }

    async fn store_and_follow(&mut self) -> Result<()> {
        self.store().await?;
        self.follow().await
    }

    /// Stores what is done, and gives back everything.
    async fn leave(&mut self) {
        self.shared.window().close();
        self.shared.ready.wake();
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));
        while let Err(error) = self.store_and_follow().await {
            tracing::warn!(subscription = self.shared.key.subscription, %error, "could not store what was done");
            if backoff.tries() >= LAST_TRIES {
                break;
            }
            tokio::time::sleep(backoff.next()).await;
        }
        let Some(membership) = self.membership.take() else { return };
        if let Err(error) = Members::leave(membership, &self.shared).await {
            tracing::warn!(subscription = self.shared.key.subscription, %error, "could not leave the group; its lease runs out");
        }
    }
}

/// What no retry heals.
fn fatal(error: &Error) -> Option<End> {
    match error {
        Error::HistoryDiverged { position, .. } => Some(End::Diverged(*position)),
        Error::UnknownSubscription { .. } => Some(End::Deleted),
        _ => None,
    }
}
