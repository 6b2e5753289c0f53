//! What a member has in hand: its partitions, what it read of each, what is taken, what is done. No I/O.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::model::EventEnvelope;
use crate::storage::subscriptions::{Ack, Followed, Holding, Partition, Reached, Retry};
use crate::{Error, Result};

/// How many open positions one acknowledgement tells the server of.
const OPEN: usize = 64;

/// How much a member takes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) in_flight: usize,
    pub(crate) batch: usize,
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
    /// Until then what is owned is surely ours; nothing is handed out later.
    sure_until: Option<Instant>,
    ended: bool,
    /// What waits to be tried again is to be looked up anew.
    pub(super) reload: bool,
    /// Events to give up, and why.
    pub(super) given_up: Vec<(i64, String)>,
}

#[derive(Debug)]
struct Part {
    token: i64,
    /// Everything up to here was read, or is not for this subscription.
    cursor: i64,
    /// The checkpoint as it is stored.
    stored: i64,
    /// Done, beyond the checkpoint, before this owner came.
    done_before: BTreeSet<i64>,
    /// As it was taken over, until it is begun.
    taken_over: Partition,
    epoch: i32,
    items: BTreeMap<i64, Item>,
    begun: bool,
    draining: bool,
}

#[derive(Debug)]
struct Item {
    stream: Uuid,
    event_id: Option<Uuid>,
    state: State,
    /// In the line; otherwise it was taken out of it, to be tried again.
    line: bool,
    waiters: Vec<oneshot::Sender<Result<()>>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Waiting(Instant),
    Ready,
    Taken,
    /// Done, and not stored yet.
    Acked,
    /// Done in a transaction of the caller, of which nobody knows whether it commits.
    InTransaction,
}

#[derive(Debug)]
struct Ready {
    partition: i32,
    event: EventEnvelope,
}

/// What there is to take.
#[derive(Debug)]
pub(super) enum Take {
    Event(EventEnvelope),
    Nothing,
    Ended,
}

/// Which part of the log to read next, and for which owners.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) after: i64,
    pub(super) until: i64,
    pub(super) epoch: i32,
    /// Partition and token.
    pub(super) partitions: Vec<(i32, i64)>,
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
            sure_until: None,
            ended: false,
            reload: false,
            given_up: Vec::new(),
        }
    }

    fn lost(&self, position: i64) -> Error {
        Error::SubscriptionLost { name: self.name.clone(), position }
    }

    // ---- what the server says ------------------------------------------------------------------------------------

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
                Some(part) => {
                    part.settle(&Reached { position: stored.checkpoint.position, acked: stored.acked }, None);
                }
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
            if !matches!(item.state, State::Ready | State::Waiting(_)) {
                self.lost.insert(position);
            }
            for waiter in item.waiters {
                // who gave up waiting need not be told
                let _gone = waiter.send(Err(self.lost(position)));
            }
        }
        // only those whose handlers still run are asked for: the oldest are not among them
        while self.lost.len() > 4 * self.limits.in_flight {
            self.lost.pop_first();
        }
    }

    /// Forgets what belongs to a history that ended.
    pub(super) fn lose_epoch(&mut self, epoch: i32) {
        let ended: Vec<_> = self.parts.iter().filter(|(_, it)| it.epoch == epoch).map(|(number, _)| *number).collect();
        ended.into_iter().for_each(|number| self.lose(number));
    }

    /// Forgets a partition, unless it is held anew by now.
    pub(super) fn lose_token(&mut self, number: i32, token: i64) {
        if self.parts.get(&number).is_some_and(|it| it.token == token) {
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

    // ---- partitions that come and go -----------------------------------------------------------------------------

    /// Partitions that were just taken over.
    pub(super) fn fresh(&self) -> Vec<Partition> {
        let fresh = self.parts.values().filter(|it| !it.begun && !it.draining);
        fresh.map(|it| it.taken_over.clone()).collect()
    }

    /// Every partition, to look up what waits in it.
    pub(super) fn numbers(&self) -> Vec<i32> {
        self.parts.keys().copied().collect()
    }

    /// Takes in what waits to be tried again, in all partitions held; `begun` may be read from now on, as they are good for
    /// this history.
    pub(super) fn waiting(&mut self, retries: &[Retry], begun: Vec<Partition>) {
        let now = Instant::now();
        for part in self.parts.values_mut() {
            // an acknowledgement in a transaction took it away
            let known = |position: &i64| retries.iter().any(|it| it.position == *position);
            part.items.retain(|position, it| it.line || it.state != State::InTransaction || known(position));
        }
        for retry in retries {
            let Some(part) = self.parts.get_mut(&retry.partition).filter(|it| !it.draining) else { continue };
            let due = now.checked_add(retry.after).unwrap_or(now + Duration::from_secs(86_400));
            part.items
                .entry(retry.position)
                .or_insert_with(|| Item::new(retry.stream_id, None, State::Waiting(due), false));
        }
        for known in begun {
            if let Some(part) = self.parts.get_mut(&known.number).filter(|it| it.token == known.token) {
                part.begin(known);
            }
        }
    }

    /// Whether a transaction may have acknowledged what was taken out of the line: only a look tells.
    pub(super) fn unsure(&self) -> bool {
        self.parts.values().any(|part| part.items.values().any(|it| !it.line && it.state == State::InTransaction))
    }

    /// Partitions to give back, with their tokens: nothing of them is in hand.
    pub(super) fn drained(&self) -> Vec<(i32, i64)> {
        let free = |part: &Part| !part.items.values().any(|it| matches!(it.state, State::Taken | State::Acked));
        let drained = self.parts.iter().filter(|(_, it)| it.draining && free(it));
        drained.map(|(number, it)| (*number, it.token)).collect()
    }

    // ---- reading -------------------------------------------------------------------------------------------------

    /// What to read next, up to the mark: those who are furthest behind first, until they meet the others.
    pub(super) fn plan(&self, mark: i64) -> Option<Plan> {
        let room =
            self.ready.len() <= self.limits.batch / 2 && self.open() < self.limits.in_flight + 2 * self.limits.batch;
        let reading = || self.parts.iter().filter(|(_, it)| it.begun && !it.draining);
        let (after, epoch) =
            reading().map(|(_, it)| (it.cursor, it.epoch)).min().filter(|(after, _)| *after < mark && room)?;
        let next = reading().map(|(_, it)| it.cursor).filter(|it| *it > after).min();
        let level = reading().filter(|(_, it)| (it.cursor, it.epoch) == (after, epoch));
        let partitions = level.map(|(number, it)| (*number, it.token)).collect();
        Some(Plan { after, until: next.unwrap_or(mark).min(mark), epoch, partitions })
    }

    fn open(&self) -> usize {
        self.parts.values().map(|it| it.items.len()).sum()
    }

    /// Puts in line what was read for a plan, and how far it was read.
    pub(super) fn fill(&mut self, plan: &Plan, events: Vec<(i32, EventEnvelope)>, read_up_to: i64) {
        for (number, token) in &plan.partitions {
            // one that drains takes none of them: its checkpoint must not pass them
            if let Some(part) = self.parts.get_mut(number).filter(|it| it.token == *token && !it.draining) {
                part.cursor = read_up_to;
            }
        }
        for (partition, event) in events {
            let ours = plan.partitions.iter().find(|(number, _)| *number == partition);
            let Some((_, token)) = ours else { continue };
            let Some(part) = self.parts.get_mut(&partition).filter(|it| it.token == *token && !it.draining) else {
                continue;
            };
            if part.done_before.remove(&event.global_seq) {
                continue;
            }
            let item = Item::new(event.stream_id.0, Some(event.event_id), State::Ready, true);
            if part.items.insert(event.global_seq, item).is_none() {
                self.ready.push_back(Ready { partition, event });
            }
        }
    }

    /// What waited long enough, to be read by itself.
    pub(super) fn due(&self, now: Instant) -> Vec<i64> {
        let waits = |it: &Item| matches!(it.state, State::Waiting(due) if due <= now);
        let parts = self.parts.values().filter(|it| it.begun && !it.draining);
        parts.flat_map(|part| part.items.iter().filter(|(_, it)| waits(it)).map(|(position, _)| *position)).collect()
    }

    /// When the next one waited long enough.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let parts = self.parts.values().filter(|it| it.begun && !it.draining);
        let items = parts.flat_map(|part| part.items.values());
        let due = items.filter_map(|it| if let State::Waiting(due) = it.state { Some(due) } else { None });
        due.min()
    }

    /// Puts events before all others; `missing` are there no more.
    pub(super) fn again(&mut self, events: Vec<EventEnvelope>, missing: &[i64]) {
        for event in events.into_iter().rev() {
            let found = self.parts.iter_mut().find_map(|(number, part)| {
                let item = part.items.get_mut(&event.global_seq)?;
                matches!(item.state, State::Waiting(_)).then_some((*number, item))
            });
            let Some((partition, item)) = found else { continue };
            item.state = State::Ready;
            item.event_id = Some(event.event_id);
            self.ready.push_front(Ready { partition, event });
        }
        for position in missing {
            self.parts.values_mut().for_each(|part| drop(part.items.remove(position)));
        }
    }

    // ---- taking --------------------------------------------------------------------------------------------------

    /// Hands out the next event, unless too many are in hand.
    pub(super) fn take(&mut self, now: Instant) -> Take {
        if self.ended {
            return Take::Ended;
        }
        if self.taken >= self.limits.in_flight || self.sure_until.is_none_or(|until| until <= now) {
            return Take::Nothing;
        }
        let Some(at) = self.ready.iter().position(|it| !self.held_back(it)) else { return Take::Nothing };
        let Some(Ready { partition, event }) = self.ready.remove(at) else { return Take::Nothing };
        if let Some(item) = self.parts.get_mut(&partition).and_then(|part| part.items.get_mut(&event.global_seq)) {
            item.state = State::Taken;
            self.taken += 1;
        }
        self.lost.remove(&event.global_seq);
        Take::Event(event)
    }

    /// Whether an event was taken, is not done, and is surely still ours.
    pub(super) fn has_in_hand(&self, position: i64, now: Instant) -> bool {
        let taken = |part: &Part| part.items.get(&position).is_some_and(|it| it.state == State::Taken);
        self.sure_until.is_some_and(|until| now < until) && self.parts.values().any(taken)
    }

    /// Whether there is room for more to be read.
    pub(super) fn runs_low(&self) -> bool {
        self.ready.len() == self.limits.batch / 2
    }

    /// An earlier event of the same stream waits to be tried again, or is being tried.
    fn held_back(&self, ready: &Ready) -> bool {
        let Some(part) = self.parts.get(&ready.partition) else { return false };
        let stream = ready.event.stream_id.0;
        part.items.range(..ready.event.global_seq).any(|(_, it)| !it.line && it.stream == stream)
    }

    // ---- done, or not --------------------------------------------------------------------------------------------

    /// Notes that an event is done; the answer comes when that is stored. `None`: it was done before.
    pub(super) fn ack(&mut self, position: i64) -> Result<Option<oneshot::Receiver<Result<()>>>> {
        let Some(item) = self.parts.values_mut().find_map(|part| part.items.get_mut(&position)) else {
            return self.not_in_hand(position).map(|()| None);
        };
        match item.state {
            State::Taken => self.taken -= 1,
            State::Acked | State::InTransaction => {}
            State::Ready | State::Waiting(_) => return Err(self.not_taken(position)),
        }
        let (told, answer) = oneshot::channel();
        item.state = State::Acked;
        item.waiters.push(told);
        Ok(Some(answer))
    }

    /// Every event taken and not done, up to a position.
    pub(super) fn taken_up_to(&self, position: i64) -> Vec<i64> {
        let items = self.parts.values().flat_map(|part| part.items.range(..=position));
        items.filter(|(_, it)| it.state == State::Taken).map(|(position, _)| *position).collect()
    }

    /// An event that is to be handed out, perhaps once more.
    fn not_taken(&self, position: i64) -> Error {
        if self.lost.contains(&position) { self.lost(position) } else { self.not_delivered(position) }
    }

    fn not_delivered(&self, position: i64) -> Error {
        Error::NotDelivered { name: self.name.clone(), position }
    }

    /// What to say of an event that is not in hand: it was lost, is done, or never came.
    fn not_in_hand(&self, position: i64) -> Result<()> {
        if self.lost.contains(&position) || self.parts.is_empty() {
            return Err(self.lost(position));
        }
        let read = self.parts.values().map(|it| it.cursor).max();
        if read < Some(position) { Err(self.not_delivered(position)) } else { Ok(()) }
    }

    /// What the server must be told to have this one event done, or taken out of the line; and its stream.
    pub(super) fn one(&self, position: i64) -> Result<(Ack, Uuid)> {
        let found = self.parts.iter().find_map(|(number, part)| Some((number, part, part.items.get(&position)?)));
        let Some((number, part, item)) = found else {
            self.not_in_hand(position)?;
            return Err(Error::AlreadyAcked { name: self.name.clone(), position });
        };
        match item.state {
            State::Ready | State::Waiting(_) => return Err(self.not_taken(position)),
            State::Acked => return Err(Error::AlreadyAcked { name: self.name.clone(), position }),
            State::Taken | State::InTransaction => {}
        }
        let (line, again) = if item.line { (vec![position], vec![]) } else { (vec![], vec![position]) };
        Ok((part.ack(*number, line, again), item.stream))
    }

    /// An event was done in a transaction of the caller, which may commit or not.
    pub(super) fn in_transaction(&mut self, ack: &Ack, position: i64, reached: &Reached) {
        let Some(part) = self.parts.get_mut(&ack.partition).filter(|it| it.token == ack.token) else { return };
        if let Some(item) = part.items.get_mut(&position) {
            if item.state == State::Taken {
                self.taken -= 1;
            }
            item.state = State::InTransaction;
        }
        part.settle(reached, Some(position));
    }

    /// An event was taken out of the line: to be tried after a pause, or for good.
    pub(super) fn nacked(&mut self, ack: &Ack, position: i64, again: Option<Duration>) {
        let Some(part) = self.parts.get_mut(&ack.partition).filter(|it| it.token == ack.token) else { return };
        let Some(item) = part.items.get_mut(&position) else { return };
        if item.state == State::Taken {
            self.taken -= 1;
        }
        match again {
            Some(pause) => {
                item.line = false;
                item.state = State::Waiting(Instant::now() + pause);
            }
            None => drop(part.items.remove(&position)),
        }
    }

    /// What is to be stored, by partition.
    pub(super) fn take_done(&mut self) -> Vec<Ack> {
        let mut acks = Vec::new();
        for (number, part) in &mut self.parts {
            let done = |line: bool| {
                let items = part.items.iter().filter(|(_, it)| it.state == State::Acked && it.line == line);
                items.map(|(position, _)| *position).collect::<Vec<_>>()
            };
            let (line, again) = (done(true), done(false));
            if !line.is_empty() || !again.is_empty() {
                acks.push(part.ack(*number, line, again));
            }
        }
        acks
    }

    /// Partitions whose checkpoints may be moved though nothing was acknowledged: nothing up to there was to be done.
    pub(super) fn behind(&self) -> Vec<Followed> {
        let behind = |(number, part): (&i32, &Part)| {
            let reached = part.reached();
            let moves = part.begun && reached > part.stored;
            moves.then_some(Followed { partition: *number, token: part.token, reached })
        };
        self.parts.iter().filter_map(behind).collect()
    }

    /// They were moved.
    pub(super) fn followed(&mut self, asked: &[Followed], stored: &[(i32, i64)]) {
        for (number, position) in stored {
            let token = asked.iter().find(|it| it.partition == *number).map(|it| it.token);
            if let Some(part) = self.parts.get_mut(number).filter(|it| Some(it.token) == token) {
                part.stored = part.stored.max(*position);
            }
        }
    }

    /// It is stored.
    pub(super) fn stored(&mut self, ack: &Ack, reached: &Reached) {
        let Some(part) = self.parts.get_mut(&ack.partition).filter(|it| it.token == ack.token) else { return };
        for position in ack.acked.iter().chain(&ack.retried) {
            for waiter in part.items.remove(position).map(|it| it.waiters).unwrap_or_default() {
                // who gave up waiting need not be told
                let _gone = waiter.send(Ok(()));
            }
        }
        part.settle(reached, None);
    }

    // ---- for people ----------------------------------------------------------------------------------------------

    /// Partitions held, events taken, events ready.
    pub(super) fn counts(&self) -> (Vec<i32>, usize, usize) {
        (self.numbers(), self.taken, self.ready.len())
    }
}

impl Part {
    fn new(stored: Partition) -> Self {
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
        }
    }

    /// From now on it is read.
    fn begin(&mut self, known: Partition) {
        (self.cursor, self.stored) = (known.checkpoint.position, known.checkpoint.position);
        self.epoch = known.checkpoint.epoch;
        self.done_before = known.acked.into_iter().collect();
        self.begun = true;
    }

    /// Up to where nothing is open.
    fn reached(&self) -> i64 {
        let open = self.items.iter().find(|(_, it)| it.line);
        open.map_or(self.cursor, |(position, _)| position - 1)
    }

    /// An acknowledgement of these, with what is known of the others.
    fn ack(&self, partition: i32, acked: Vec<i64>, retried: Vec<i64>) -> Ack {
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
    fn settle(&mut self, reached: &Reached, except: Option<i64>) {
        self.stored = self.stored.max(reached.position);
        self.items.retain(|position, it| {
            !it.line
                || it.state != State::InTransaction
                || Some(*position) == except
                || (*position > reached.position && reached.acked.binary_search(position).is_err())
        });
    }
}

impl Item {
    fn new(stream: Uuid, event_id: Option<Uuid>, state: State, line: bool) -> Self {
        Self { stream, event_id, state, line, waiters: Vec::new() }
    }
}
