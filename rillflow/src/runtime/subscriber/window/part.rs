//! One partition as its owner knows it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Instant;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::Limits;
use crate::Result;
use crate::storage::subscriptions::{Ack, Aside, Partition, Reached};

/// How many open positions one acknowledgement tells the server of.
const OPEN: usize = 64;
/// After how many owners that ended in a row what they had in hand is handed out one by one.
const CRASHES: i32 = 2;

#[derive(Debug)]
pub(super) struct Part {
    pub(super) token: i64,
    /// Everything up to here was read, or is not for this subscription.
    pub(super) cursor: i64,
    /// The checkpoint as it is stored.
    pub(super) stored: i64,
    /// Done, beyond the checkpoint, before this owner came.
    pub(super) done_before: BTreeSet<i64>,
    /// As it was taken over, until it is begun.
    pub(super) taken_over: Partition,
    pub(super) epoch: i32,
    pub(super) items: BTreeMap<i64, Item>,
    pub(super) begun: bool,
    pub(super) draining: bool,
    pub(super) suspects: Suspects,
    /// Something is out of the line, or may be.
    pub(super) waits: bool,
    /// When the next of it is due.
    pub(super) next_due: Option<Instant>,
    /// What was noted as due since that was last asked for: an answer does not know of it.
    pub(super) noted: Option<Instant>,
    /// Streams that had events taken out of the line since that was last looked up.
    pub(super) blocked: HashSet<Uuid>,
}

/// What owners before may have ended over: some events from the checkpoint on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Suspects {
    /// No more than so many: more was not in hand.
    pub(super) count: usize,
    pub(super) until: i64,
    /// How often each may have been tried.
    pub(super) attempts: i32,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) stream: Uuid,
    pub(super) event_id: Option<Uuid>,
    pub(super) state: State,
    /// In the line; otherwise it was taken out of it, and is tried again.
    pub(super) line: bool,
    /// How often it was tried before.
    pub(super) attempts: i32,
    /// An owner before may have ended over it.
    pub(super) suspect: bool,
    /// How it is to wait.
    pub(super) aside: Option<Box<Aside>>,
    pub(super) taken_at: Option<Instant>,
    pub(super) waiters: Vec<oneshot::Sender<Result<()>>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    /// To be put out of the line, to wait there.
    Aside,
    Ready,
    Taken,
    /// Done, and not stored yet.
    Acked,
    /// Done in a transaction of the caller, of which nobody knows whether it commits.
    InTransaction,
}

impl Part {
    pub(super) fn new(stored: Partition) -> Self {
        Self {
            token: stored.token,
            cursor: stored.checkpoint.position,
            stored: stored.checkpoint.position,
            done_before: BTreeSet::new(),
            epoch: stored.checkpoint.epoch,
            taken_over: stored,
            items: BTreeMap::new(),
            begun: false,
            draining: false,
            suspects: Suspects::default(),
            waits: true,
            next_due: None,
            noted: None,
            blocked: HashSet::new(),
        }
    }

    /// From now on it is read.
    pub(super) fn begin(&mut self, known: Partition, limits: Limits) {
        (self.cursor, self.stored) = (known.checkpoint.position, known.checkpoint.position);
        self.epoch = known.checkpoint.epoch;
        self.done_before = known.acked.into_iter().collect();
        if known.crashes >= CRASHES {
            let attempts = known.crashes.min(limits.attempts - 1).max(0);
            self.suspects = Suspects { count: limits.in_flight + limits.batch, until: known.doubtful_until, attempts };
        }
        self.begun = true;
        self.look(Instant::now());
    }

    /// How often an event may have been tried that an owner before may have ended over.
    pub(super) fn suspected(&mut self, position: i64) -> Option<i32> {
        let suspected = self.suspects.count > 0 && position <= self.suspects.until;
        self.suspects.count = self.suspects.count.saturating_sub(1);
        suspected.then_some(self.suspects.attempts)
    }

    /// Whether events of it are read and handed out.
    pub(super) fn runs(&self) -> bool {
        self.begun && !self.draining
    }

    /// Up to where nothing is open.
    pub(super) fn reached(&self) -> i64 {
        let open = self.items.iter().find(|(_, it)| it.line);
        open.map_or(self.cursor, |(position, _)| position - 1)
    }

    /// Something out of the line may be due.
    pub(super) fn look(&mut self, at: Instant) {
        self.waits = true;
        self.next_due = earliest(self.next_due, Some(at));
        self.noted = earliest(self.noted, Some(at));
    }

    /// What of a stream is read and not taken is to wait, from a position on.
    pub(super) fn block(&mut self, stream: Uuid, from: i64) {
        self.blocked.insert(stream);
        let ready = self.items.range_mut(from..).filter(|(_, it)| it.stream == stream && it.state == State::Ready);
        ready.for_each(|(_, it)| it.state = State::Aside);
    }

    /// An acknowledgement of these, with what is known of the others.
    pub(super) fn ack(&self, partition: i32, acked: Vec<i64>, retried: Vec<i64>) -> Ack {
        let open = self
            .items
            .iter()
            .filter(|(position, it)| it.line && it.state != State::Acked && acked.binary_search(position).is_err());
        let mut open: Vec<_> = open.map(|(position, _)| *position).take(OPEN + 1).collect();
        let reached = if open.len() > OPEN { open.pop().map_or(self.cursor, |it| it - 1) } else { self.cursor };
        let last = acked.last().and_then(|position| Some((*position, self.items.get(position)?.event_id?)));
        Ack { partition, token: self.token, acked, retried, open, reached, last }
    }

    /// Forgets what transactions of the caller acknowledged and committed.
    pub(super) fn settle(&mut self, reached: &Reached, except: Option<i64>) {
        self.stored = self.stored.max(reached.position);
        self.items.retain(|position, it| {
            !it.line
                || it.state != State::InTransaction
                || Some(*position) == except
                || (*position > reached.position && reached.acked.binary_search(position).is_err())
        });
    }
}

/// The earlier of two times, as far as there are any.
pub(super) fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

impl Item {
    pub(super) fn new(stream: Uuid, event_id: Option<Uuid>, state: State, line: bool) -> Self {
        let waiters = Vec::new();
        Self { stream, event_id, state, line, attempts: 0, suspect: false, aside: None, taken_at: None, waiters }
    }
}
