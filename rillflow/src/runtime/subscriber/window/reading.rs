//! What is read next, what was read, and what waits out of the line.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::part::{Item, Part, State, earliest};
use super::{Ready, Window, after};
use crate::model::EventEnvelope;
use crate::storage::subscriptions::{Ahead, Aside, Due, Followed, Partition, SetAside};

/// How soon is looked again for what seems to be due, and could not be had.
const SOON: Duration = Duration::from_millis(50);

/// Which part of the log to read next, and for which owners.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Plan {
    pub(in super::super) after: i64,
    pub(in super::super) until: i64,
    pub(in super::super) epoch: i32,
    /// Partition and token.
    pub(in super::super) partitions: Vec<(i32, i64)>,
}

impl Window {
    // ---- partitions that come ------------------------------------------------------------------------------------

    /// Partitions that were just taken over.
    pub(in super::super) fn fresh(&self) -> Vec<Partition> {
        let fresh = self.parts.values().filter(|it| !it.begun && !it.draining);
        fresh.map(|it| it.taken_over.clone()).collect()
    }

    /// They may be read from now on, as they are good for this history.
    pub(in super::super) fn begin(&mut self, known: Vec<Partition>) {
        let limits = self.limits;
        for known in known {
            if let Some(part) = self.held(known.number, known.token) {
                part.begin(known, limits);
            }
        }
    }

    /// Every partition that is held, with its token.
    pub(in super::super) fn all(&self) -> Vec<(i32, i64)> {
        self.parts.iter().map(|(number, part)| (*number, part.token)).collect()
    }

    // ---- out of the line -----------------------------------------------------------------------------------------

    /// What is out of the line of these partitions is asked for now. What is noted from now on the answer need not know.
    pub(in super::super) fn looks_ahead(&mut self, held: &[(i32, i64)]) {
        for (number, token) in held {
            if let Some(part) = self.held(*number, *token) {
                part.noted = None;
            }
        }
    }

    /// What is out of the line of these partitions; `late`: what is due could not be had.
    pub(in super::super) fn ahead(&mut self, held: &[(i32, i64)], ahead: &[Ahead], late: bool) {
        for it in ahead {
            let token = held.iter().find(|(number, _)| *number == it.partition).map(|(_, token)| *token);
            let Some(part) = token.and_then(|token| self.held(it.partition, token)) else { continue };
            part.waits = it.any || part.noted.is_some();
            let next = it.next.map(|next| after(if late { next.max(SOON) } else { next }));
            part.next_due = earliest(next, part.noted);
        }
    }

    /// Done in a transaction of the caller, out of the line: only a look tells whether that committed.
    pub(in super::super) fn unsure(&self) -> Vec<i64> {
        let unsure = |(_, it): &(&i64, &Item)| !it.line && it.state == State::InTransaction;
        let items = self.parts.values().flat_map(|part| part.items.iter());
        items.filter(unsure).map(|(position, _)| *position).collect()
    }

    /// Those that are no longer out of the line were done.
    pub(in super::super) fn sure(&mut self, asked: &[i64], left: &[i64]) {
        for part in self.parts.values_mut() {
            for position in asked.iter().filter(|it| !left.contains(it)) {
                if part.items.get(position).is_some_and(|it| !it.line && it.state == State::InTransaction) {
                    part.items.remove(position);
                    part.look(Instant::now());
                }
            }
        }
    }

    /// Partitions in which something is due that waited out of the line. What goes out of it from now on is noted.
    pub(in super::super) fn due(&mut self, now: Instant) -> Vec<(i32, i64)> {
        let due = |part: &Part| part.runs() && part.waits && part.next_due.is_some_and(|it| it <= now);
        let due = self.parts.iter_mut().filter(|(_, it)| due(it));
        due.map(|(number, it)| {
            it.blocked.clear();
            (*number, it.token)
        })
        .collect()
    }

    /// When the next one waited long enough.
    pub(in super::super) fn next_due(&self) -> Option<Instant> {
        self.parts.values().filter(|it| it.runs() && it.waits).filter_map(|it| it.next_due).min()
    }

    /// How many of those out of the line there is room for, and whether a suspect may be among them: one at a time is in
    /// hand.
    pub(in super::super) fn room_aside(&self) -> (usize, bool) {
        let aside = || self.parts.values().flat_map(|part| part.items.values()).filter(|it| !it.line);
        // one that is done and not stored would be blamed for the next
        (self.limits.batch.saturating_sub(aside().count()), !aside().any(|it| it.suspect))
    }

    /// Puts events before all others that waited long enough.
    pub(in super::super) fn again(&mut self, due: &[Due], events: Vec<EventEnvelope>) {
        for event in events.into_iter().rev() {
            let Some(due) = due.iter().find(|it| it.position == event.global_seq) else { continue };
            let Some(part) = self.parts.get_mut(&due.partition).filter(|it| it.runs()) else { continue };
            if part.items.contains_key(&due.position) {
                continue;
            }
            let stream = event.stream_id.0;
            let state = if part.blocked.contains(&stream) { State::Aside } else { State::Ready };
            let mut item = Item::new(stream, Some(event.event_id), state, false);
            (item.attempts, item.suspect) = (due.attempts, due.suspect);
            part.items.insert(due.position, item);
            if state == State::Ready {
                self.ready.push_front(Ready { partition: due.partition, event });
            }
        }
    }

    /// What is to be put out of the line, by partition.
    pub(in super::super) fn set_aside(&self) -> Vec<SetAside> {
        let of = |(number, part): (&i32, &Part)| {
            let aside = || part.items.iter().filter(|(_, it)| it.state == State::Aside);
            let events: Vec<_> = aside().map(|(position, it)| it.aside(*position)).collect();
            let line = aside().filter(|(_, it)| it.line).map(|(position, _)| *position).collect();
            (!events.is_empty()).then(|| SetAside { ack: part.ack(*number, line, Vec::new()), events })
        };
        self.parts.iter().filter_map(of).collect()
    }

    /// It is out of the line.
    pub(in super::super) fn waits_aside(&mut self, done: &SetAside) {
        let Some(part) = self.held(done.ack.partition, done.ack.token) else { return };
        for event in &done.events {
            part.items.remove(&event.position);
            part.block(event.stream_id, event.position); // what was read of its stream meanwhile waits too
        }
        part.look(Instant::now());
        self.forget_aside();
    }

    // ---- the line ------------------------------------------------------------------------------------------------

    /// What to read next, up to the mark: those who are furthest behind first, until they meet the others.
    pub(in super::super) fn plan(&self, mark: i64) -> Option<Plan> {
        let room =
            self.ready.len() <= self.limits.batch / 2 && self.open() < self.limits.in_flight + 2 * self.limits.batch;
        let reading = || self.parts.iter().filter(|(_, it)| it.runs());
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

    /// Whether events of these partitions may have to wait behind others. What goes out of the line from now on is noted.
    pub(in super::super) fn may_wait(&mut self, plan: &Plan) -> bool {
        let mut waits = false;
        for (number, token) in &plan.partitions {
            if let Some(part) = self.held(*number, *token) {
                part.blocked.clear();
                waits |= part.waits;
            }
        }
        waits
    }

    /// Puts in line what was read for a plan, and how far it was read; events of the streams `aside` wait out of the line.
    pub(in super::super) fn fill(
        &mut self,
        plan: &Plan,
        events: Vec<(i32, EventEnvelope)>,
        read_up_to: i64,
        aside: &HashSet<Uuid>,
    ) {
        for (number, token) in &plan.partitions {
            // one that drains takes none of them: its checkpoint must not pass them
            let Some(part) = self.held(*number, *token).filter(|it| !it.draining) else { continue };
            part.cursor = read_up_to;
        }
        for (partition, event) in events {
            let Some((_, token)) = plan.partitions.iter().find(|(number, _)| *number == partition) else { continue };
            let Some(part) = self.held(partition, *token).filter(|it| !it.draining) else { continue };
            if part.done_before.remove(&event.global_seq) || part.items.contains_key(&event.global_seq) {
                continue;
            }
            let stream = event.stream_id.0;
            let mut item = Item::new(stream, Some(event.event_id), State::Ready, true);
            if let Some(attempts) = part.suspected(event.global_seq) {
                (item.state, item.attempts, item.suspect) = (State::Aside, attempts, true);
            } else if aside.contains(&stream) || part.blocked.contains(&stream) {
                item.state = State::Aside;
            }
            let ready = item.state == State::Ready;
            part.items.insert(event.global_seq, item);
            if ready {
                self.ready.push_back(Ready { partition, event });
            }
        }
    }

    /// Partitions whose checkpoints may be moved though nothing was acknowledged: nothing up to there was to be done.
    pub(in super::super) fn behind(&self) -> Vec<Followed> {
        let behind = |(number, part): (&i32, &Part)| {
            let reached = part.reached();
            let moves = part.begun && reached > part.stored;
            moves.then_some(Followed { partition: *number, token: part.token, reached })
        };
        self.parts.iter().filter_map(behind).collect()
    }

    /// They were moved.
    pub(in super::super) fn followed(&mut self, asked: &[Followed], stored: &[(i32, i64)]) {
        for (number, position) in stored {
            let token = asked.iter().find(|it| it.partition == *number).map(|it| it.token);
            if let Some(part) = token.and_then(|token| self.held(*number, token)) {
                part.stored = part.stored.max(*position);
            }
        }
    }
}

impl Item {
    /// How it is to wait out of the line.
    fn aside(&self, position: i64) -> Aside {
        self.aside.as_deref().cloned().unwrap_or(Aside {
            position,
            stream_id: self.stream,
            tries: if self.line { self.attempts } else { 0 },
            pause: Duration::ZERO,
            reason: None,
            suspect: self.suspect,
        })
    }
}
