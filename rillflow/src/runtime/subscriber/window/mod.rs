//! What a member has in hand: its partitions, what it read of each, what is taken, what is done. No I/O.

mod done;
mod part;
mod reading;
mod taking;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use part::{Part, State};

use crate::Error;
use crate::model::EventEnvelope;
use crate::storage::subscriptions::{Holding, Reached};

pub(super) use taking::Take;

/// How much a member takes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) in_flight: usize,
    pub(crate) batch: usize,
    /// How often an event is tried before it becomes a dead letter.
    pub(crate) attempts: i32,
}

#[derive(Debug)]
pub(super) struct Window {
    name: String,
    limits: Limits,
    parts: BTreeMap<i32, Part>,
    /// Read and not taken, in the order they are to be taken.
    ready: VecDeque<Ready>,
    taken: usize,
    /// Taken from partitions that were lost since.
    lost: BTreeSet<i64>,
    /// Taken here, and to be tried again since.
    again: BTreeSet<i64>,
    /// Until then what is owned is surely ours; nothing is handed out later.
    sure_until: Option<Instant>,
    ended: bool,
    /// What is out of the line is to be looked up anew.
    pub(super) reload: bool,
    /// Events to give up.
    pub(super) given_up: Vec<GivenUp>,
}

/// An event that is to become a dead letter.
#[derive(Clone, Debug)]
pub(super) struct GivenUp {
    pub(super) position: i64,
    pub(super) reason: String,
    /// How often it was tried since it was taken.
    pub(super) tries: i32,
}

#[derive(Debug)]
struct Ready {
    partition: i32,
    event: EventEnvelope,
}

impl Window {
    pub(super) fn new(name: String, limits: Limits) -> Self {
        Self {
            name,
            limits,
            parts: BTreeMap::new(),
            ready: VecDeque::new(),
            taken: 0,
            lost: BTreeSet::new(),
            again: BTreeSet::new(),
            sure_until: None,
            ended: false,
            reload: false,
            given_up: Vec::new(),
        }
    }

    fn lost(&self, position: i64) -> Error {
        Error::SubscriptionLost { name: self.name.clone(), position }
    }

    /// The partition, when it is still held under this token.
    fn held(&mut self, partition: i32, token: i64) -> Option<&mut Part> {
        self.parts.get_mut(&partition).filter(|it| it.token == token)
    }

    /// Takes over what the server says is ours; partitions beyond our share are to be given back.
    pub(super) fn hold(&mut self, holding: Holding, sure_until: Instant) {
        if self.ended {
            return;
        }
        self.sure_until = Some(sure_until);
        let held =
            |number: i32, token: i64| holding.partitions.iter().any(|it| (it.number, it.token) == (number, token));
        let gone: Vec<_> =
            self.parts.iter().filter(|(number, part)| !held(**number, part.token)).map(|(number, _)| *number).collect();
        gone.into_iter().for_each(|number| self.lose(number));
        for stored in holding.partitions {
            match self.parts.get_mut(&stored.number) {
                Some(part) => part.settle(&Reached { position: stored.checkpoint.position, acked: stored.acked }, None),
                None => drop(self.parts.insert(stored.number, Part::new(stored))),
            }
        }
        let draining = self.parts.values().filter(|it| it.draining).count();
        self.drain(self.parts.len().saturating_sub(holding.share).saturating_sub(draining));
    }

    /// Stops handing out events of as many partitions, those with the least in hand first.
    fn drain(&mut self, count: usize) {
        let mut kept: Vec<_> =
            self.parts.iter().filter(|(_, it)| !it.draining).map(|(number, it)| (it.items.len(), *number)).collect();
        kept.sort_unstable();
        for (_, number) in kept.into_iter().take(count) {
            let Some(part) = self.parts.get_mut(&number) else { continue };
            part.draining = true; // what is not handed out stays open: the checkpoint must not pass it
            self.ready.retain(|it| it.partition != number);
        }
    }

    /// Forgets a partition that another member owns by now.
    pub(super) fn lose(&mut self, number: i32) {
        let Some(part) = self.parts.remove(&number) else { return };
        self.ready.retain(|it| it.partition != number);
        for (position, item) in part.items {
            if item.state == State::Taken {
                self.taken -= 1;
            }
            if !matches!(item.state, State::Ready | State::Aside) {
                self.lost.insert(position);
            }
            for waiter in item.waiters {
                // who gave up waiting need not be told
                let _gone = waiter.send(Err(self.lost(position)));
            }
        }
        self.remember_few();
    }

    /// Only those whose handlers still run are asked for: the oldest are not among them.
    fn remember_few(&mut self) {
        for remembered in [&mut self.lost, &mut self.again] {
            while remembered.len() > 4 * self.limits.in_flight {
                remembered.pop_first();
            }
        }
    }

    /// Forgets what belongs to a history that ended.
    pub(super) fn lose_epoch(&mut self, epoch: i32) {
        let ended: Vec<_> = self.parts.iter().filter(|(_, it)| it.epoch == epoch).map(|(number, _)| *number).collect();
        ended.into_iter().for_each(|number| self.lose(number));
    }

    /// Forgets a partition, unless it is held anew by now.
    pub(super) fn lose_token(&mut self, number: i32, token: i64) {
        if self.held(number, token).is_some() {
            self.lose(number);
        }
    }

    /// Nothing more is handed out; what is in hand may still be acknowledged.
    pub(super) fn close(&mut self) {
        self.ended = true;
    }

    /// Nothing is ours any more.
    pub(super) fn end(&mut self) {
        self.ended = true;
        let numbers: Vec<_> = self.parts.keys().copied().collect();
        numbers.into_iter().for_each(|number| self.lose(number));
    }

    /// Partitions to give back, with their tokens: nothing of them is in hand.
    pub(super) fn drained(&self) -> Vec<(i32, i64)> {
        let free = |part: &Part| !part.items.values().any(|it| matches!(it.state, State::Taken | State::Acked));
        let drained = self.parts.iter().filter(|(_, it)| it.draining && free(it));
        drained.map(|(number, it)| (*number, it.token)).collect()
    }

    /// Partitions of which something is in hand.
    pub(super) fn in_hand(&self) -> Vec<i32> {
        let taken = |part: &Part| part.items.values().any(|it| it.state == State::Taken);
        self.parts.iter().filter(|(_, it)| taken(it)).map(|(number, _)| *number).collect()
    }

    /// The lowest checkpoint of those held, and how many events are taken.
    pub(super) fn measured(&self) -> (Option<i64>, usize) {
        (self.parts.values().filter(|it| it.begun).map(|it| it.stored).min(), self.taken)
    }

    /// Partitions held, events taken, events ready.
    pub(super) fn counts(&self) -> (Vec<i32>, usize, usize) {
        (self.parts.keys().copied().collect(), self.taken, self.ready.len())
    }
}

/// That much later, or in a day when no clock can tell.
fn after(pause: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(pause).unwrap_or(now + Duration::from_secs(86_400))
}
