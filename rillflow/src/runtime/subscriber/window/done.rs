//! What is done, and what of it is stored.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::Window;
use super::part::State;
use crate::Result;
use crate::storage::subscriptions::{Ack, Reached};

impl Window {
    /// Notes that an event is done; the answer comes when that is stored. `None`: it was done before.
    pub(in super::super) fn ack(&mut self, position: i64) -> Result<Option<oneshot::Receiver<Result<()>>>> {
        let Some(item) = self.parts.values_mut().find_map(|part| part.items.get_mut(&position)) else {
            return self.not_in_hand(position).map(|()| None);
        };
        match item.state {
            State::Taken => self.taken -= 1,
            State::Acked | State::InTransaction => {}
            State::Ready | State::Aside => return Err(self.not_taken(position)),
        }
        let (told, answer) = oneshot::channel();
        item.state = State::Acked;
        item.waiters.push(told);
        Ok(Some(answer))
    }

    /// An event was done in a transaction of the caller, which may commit or not. Says how long it was in hand.
    pub(in super::super) fn in_transaction(&mut self, ack: &Ack, position: i64, reached: &Reached) -> Option<Duration> {
        let part = self.parts.get_mut(&ack.partition).filter(|it| it.token == ack.token)?;
        let mut took = None;
        if let Some(item) = part.items.get_mut(&position) {
            took = item.taken_at.take().map(|it| it.elapsed());
            if item.state == State::Taken {
                self.taken -= 1;
            }
            item.state = State::InTransaction;
        }
        part.settle(reached, Some(position));
        took
    }

    /// What is to be stored, by partition.
    pub(in super::super) fn take_done(&mut self) -> Vec<Ack> {
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

    /// It is stored. Says how long each was in hand.
    pub(in super::super) fn stored(&mut self, ack: &Ack, reached: &Reached) -> Vec<Duration> {
        let mut took = Vec::new();
        let Some(part) = self.held(ack.partition, ack.token) else { return took };
        for position in ack.acked.iter().chain(&ack.retried) {
            let Some(item) = part.items.remove(position) else { continue };
            took.extend(item.taken_at.map(|it| it.elapsed()));
            for waiter in item.waiters {
                // who gave up waiting need not be told
                let _gone = waiter.send(Ok(()));
            }
        }
        if !ack.retried.is_empty() {
            part.look(Instant::now()); // what waited behind them goes on
        }
        part.settle(reached, None);
        took
    }
}
