//! What is handed out, and what comes back undone.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::part::{Item, State};
use super::{Ready, Window, after};
use crate::model::EventEnvelope;
use crate::storage::subscriptions::{Ack, Aside};
use crate::{Error, Result};

/// What there is to take.
#[derive(Debug)]
pub(in super::super) enum Take {
    Event(EventEnvelope),
    Nothing,
    Ended,
}

/// What the server must be told of one event in hand.
#[derive(Debug)]
pub(in super::super) struct One {
    pub(in super::super) ack: Ack,
    pub(in super::super) stream: Uuid,
}

impl Window {
    /// Hands out the next event, unless too many are in hand.
    pub(in super::super) fn take(&mut self, now: Instant) -> Take {
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
            item.taken_at = Some(now);
            self.taken += 1;
        }
        self.lost.remove(&event.global_seq);
        self.again.remove(&event.global_seq);
        Take::Event(event)
    }

    /// An earlier event of the same stream is being tried again, or is to wait. One that only waited holds up no other.
    fn held_back(&self, ready: &Ready) -> bool {
        let Some(part) = self.parts.get(&ready.partition) else { return false };
        let stream = ready.event.stream_id.0;
        let first = |it: &Item| it.attempts > 0 || it.suspect || it.state == State::Ready;
        let before = |it: &Item| it.state == State::Aside || (!it.line && first(it) && it.state != State::Acked);
        let mut earlier = part.items.range(..ready.event.global_seq).filter(|(_, it)| it.stream == stream);
        earlier.any(|(_, it)| before(it))
    }

    /// Whether an event was taken, is not done, and is surely still ours.
    pub(in super::super) fn has_in_hand(&self, position: i64, now: Instant) -> bool {
        self.sure_until.is_some_and(|until| now < until) && self.taken(position).is_some()
    }

    fn taken(&self, position: i64) -> Option<&Item> {
        let item = self.parts.values().find_map(|part| part.items.get(&position));
        item.filter(|it| it.state == State::Taken)
    }

    /// How often an event in hand was tried before it was taken.
    pub(in super::super) fn attempts(&self, position: i64) -> i32 {
        self.taken(position).map_or(0, |it| it.attempts)
    }

    /// Whether there is room for more to be read.
    pub(in super::super) fn runs_low(&self) -> bool {
        self.ready.len() == self.limits.batch / 2
    }

    /// Every event taken and not done, up to a position.
    pub(in super::super) fn taken_up_to(&self, position: i64) -> Vec<i64> {
        let items = self.parts.values().flat_map(|part| part.items.range(..=position));
        items.filter(|(_, it)| it.state == State::Taken).map(|(position, _)| *position).collect()
    }

    /// An event that is to be handed out, perhaps once more.
    pub(super) fn not_taken(&self, position: i64) -> Error {
        if self.lost.contains(&position) { self.lost(position) } else { self.not_delivered(position) }
    }

    fn not_delivered(&self, position: i64) -> Error {
        Error::NotDelivered { name: self.name.clone(), position }
    }

    /// What to say of an event that is not in hand: it was lost, is to come again, is done, or never came.
    pub(super) fn not_in_hand(&self, position: i64) -> Result<()> {
        if self.lost.contains(&position) || self.parts.is_empty() {
            return Err(self.lost(position));
        }
        let read = self.parts.values().map(|it| it.cursor).max();
        let comes = self.again.contains(&position) || read < Some(position);
        if comes { Err(self.not_delivered(position)) } else { Ok(()) }
    }

    /// What the server must be told to have this one event done, or taken out of the line.
    pub(in super::super) fn one(&self, position: i64) -> Result<One> {
        let found = self.parts.iter().find_map(|(number, part)| Some((number, part, part.items.get(&position)?)));
        let Some((number, part, item)) = found else {
            self.not_in_hand(position)?;
            return Err(Error::AlreadyAcked { name: self.name.clone(), position });
        };
        match item.state {
            State::Ready | State::Aside => return Err(self.not_taken(position)),
            State::Acked => return Err(Error::AlreadyAcked { name: self.name.clone(), position }),
            State::Taken | State::InTransaction => {}
        }
        let (line, again) = if item.line { (vec![position], vec![]) } else { (vec![], vec![position]) };
        Ok(One { ack: part.ack(*number, line, again), stream: item.stream })
    }

    /// An event was taken out of the line: to be tried after a pause, or for good. What was read of its stream waits.
    pub(in super::super) fn nacked(&mut self, one: &Ack, position: i64, again: Option<Duration>) {
        let Some(part) = self.parts.get_mut(&one.partition).filter(|it| it.token == one.token) else { return };
        let Some(item) = part.items.remove(&position) else { return };
        if item.state == State::Taken {
            self.taken -= 1;
        }
        match again {
            Some(pause) => {
                part.block(item.stream, position);
                part.look(after(pause));
                self.again.insert(position);
            }
            None => part.look(Instant::now()), // what waited behind it goes on
        }
        self.forget_aside();
    }

    /// Events in hand are to wait out of the line, each as it says, with what was read of their streams.
    pub(in super::super) fn put_back(&mut self, events: Vec<Aside>) {
        for event in events {
            let found = self.parts.values_mut().find(|part| part.items.contains_key(&event.position));
            let Some(part) = found else { continue };
            let Some(item) = part.items.get_mut(&event.position).filter(|it| it.state == State::Taken) else {
                continue;
            };
            item.state = State::Aside;
            self.taken -= 1;
            let stream = item.stream;
            self.again.insert(event.position);
            let from = event.position;
            item.aside = Some(Box::new(Aside { stream_id: stream, suspect: item.suspect, ..event }));
            part.block(stream, from);
        }
        self.forget_aside();
    }

    /// What is to wait is not handed out.
    pub(super) fn forget_aside(&mut self) {
        let parts = &self.parts;
        self.ready.retain(|it| {
            let item = parts.get(&it.partition).and_then(|part| part.items.get(&it.event.global_seq));
            item.is_some_and(|it| it.state == State::Ready)
        });
        self.remember_few();
    }
}
