//! What a member does with events out of the line: those that failed, and those that wait behind them.

use std::time::Instant;

use super::consumer::{Consumer, asked};
use super::window::GivenUp;
use crate::storage::subscriptions;
use crate::{Error, Result};

impl Consumer {
    /// Looks up what became of events out of the line, where only a look tells.
    pub(super) async fn look_aside(&self) -> Result<()> {
        let (unsure, reload) = {
            let mut window = self.shared.window();
            (window.unsure(), std::mem::take(&mut window.reload))
        };
        if !unsure.is_empty() {
            let mut conn = self.connection().await?;
            let answer = asked(subscriptions::left(&mut conn, &self.core.texts, &self.shared.key, &unsure)).await;
            let left = answer.settle(conn)?;
            self.shared.window().sure(&unsure, &left);
        }
        if reload {
            let all = self.shared.window().all();
            self.look_ahead(&all, false).await?;
        }
        Ok(())
    }

    /// Looks up what partitions have out of the line, and when it is due.
    async fn look_ahead(&self, held: &[(i32, i64)], late: bool) -> Result<()> {
        let mut conn = self.connection().await?;
        self.shared.window().looks_ahead(held);
        let answer = asked(subscriptions::ahead(&mut conn, &self.core.texts, &self.shared.key, held)).await;
        let ahead = answer.settle(conn)?;
        self.shared.window().ahead(held, &ahead, late);
        Ok(())
    }

    /// Makes dead letters of events that are given up here.
    pub(super) async fn give_up(&self) -> Result<bool> {
        let mut moved = false;
        loop {
            let Some(GivenUp { position, reason, tries }) = self.shared.window().given_up.last().cloned() else {
                return Ok(moved);
            };
            match self.shared.nack(&self.core, position, None, &reason, tries).await {
                Ok(()) => {}
                // whoever has it now comes to it by itself
                Err(Error::SubscriptionLost { .. } | Error::AlreadyAcked { .. } | Error::NotDelivered { .. }) => {}
                Err(error) => return Err(error),
            }
            self.shared.window().given_up.retain(|it| it.position != position);
            moved = true;
        }
    }

    /// Has events wait out of the line that stand behind one that does.
    pub(super) async fn set_aside(&self) -> Result<()> {
        let aside = self.shared.window().set_aside();
        for aside in aside {
            let mut conn = self.connection().await?;
            let answer = asked(subscriptions::set_aside(&mut conn, &self.core.texts, &self.shared.key, &aside)).await;
            match answer.settle(conn) {
                Ok(()) => self.shared.window().waits_aside(&aside),
                Err(Error::SubscriptionLost { .. }) => self.lost(aside.ack.partition, aside.ack.token),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what waited long enough to be tried again.
    pub(super) async fn read_again(&self) -> Result<bool> {
        let _nothing_is_refused = self.shared.aside.lock().await;
        let (held, (room, suspects)) = {
            let mut window = self.shared.window();
            (window.due(Instant::now()), window.room_aside())
        };
        if held.is_empty() {
            return Ok(false);
        }
        let mut conn = self.connection().await?;
        let (texts, key) = (&self.core.texts, &self.shared.key);
        let answer = asked(async {
            let due = subscriptions::due(&mut conn, texts, key, &held, room as i64, suspects).await?;
            let positions: Vec<_> = due.iter().map(|it| it.position).collect();
            let events = subscriptions::read_positions(&mut conn, texts, &self.shared.source, &positions).await?;
            let mut missing = positions;
            missing.retain(|it| !events.iter().any(|event| event.global_seq == *it));
            if !missing.is_empty() {
                subscriptions::drop_retries(&mut conn, texts, key, &missing).await?;
            }
            Ok((due, events))
        });
        let (due, events) = answer.await.settle(conn)?;
        let late = due.is_empty();
        self.shared.window().again(&due, events);
        self.shared.ready.wake();
        self.look_ahead(&held, late).await?;
        Ok(true)
    }
}
