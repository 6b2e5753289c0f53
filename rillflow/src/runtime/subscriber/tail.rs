//! Following the log without a place that is kept: nothing is written, nothing is acknowledged.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::watch;

use super::consumer::asked;
use crate::model::{Checkpoint, EventEnvelope, SubscriptionFilter};
use crate::runtime::SharedCore;
use crate::runtime::backoff::Backoff;
use crate::runtime::listener::{Listener, Listening};
use crate::runtime::marks::Marks;
use crate::runtime::reading::PAGE;
use crate::storage::epochs;
use crate::storage::subscriptions::{self, Scan};
use crate::{Error, Result};

struct Tail {
    core: SharedCore,
    filter: SubscriptionFilter,
    after: i64,
    reached: Checkpoint,
    mark: watch::Receiver<i64>,
    page: VecDeque<EventEnvelope>,
    backoff: Backoff,
    _listening: Listening,
}

/// Events after a position, and those that come, for ever. An error is told, and the next event asked for after it tries
/// again.
pub(crate) fn tail(
    core: &SharedCore,
    filter: SubscriptionFilter,
    after: i64,
) -> impl Stream<Item = Result<EventEnvelope>> + Send + 'static {
    let tail = Tail {
        core: core.clone(),
        filter,
        after,
        reached: Checkpoint { position: after, ..Checkpoint::default() },
        mark: Marks::follow(core),
        page: VecDeque::new(),
        backoff: Backoff::new(Duration::from_millis(50), Duration::from_secs(2)),
        _listening: Listener::share(core),
    };
    unfold(tail, |mut tail| async move { Some((tail.next().await, tail)) })
}

impl Tail {
    async fn next(&mut self) -> Result<EventEnvelope> {
        if self.backoff.tries() > 0 {
            tokio::time::sleep(self.backoff.next()).await;
        }
        loop {
            if let Some(event) = self.page.pop_front() {
                return Ok(event);
            }
            let mark = *self.mark.borrow_and_update();
            if self.reached.position < mark {
                if let Err(error) = self.read(mark).await {
                    self.backoff.next();
                    return Err(error);
                }
                self.backoff.reset();
            } else if self.mark.changed().await.is_err() {
                std::future::pending::<()>().await; // the sender is in `core`, which we hold
            }
        }
    }

    async fn read(&mut self, mark: i64) -> Result<()> {
        let Checkpoint { epoch, position: after, .. } = self.reached;
        let scan = Scan { after, until: mark, limit: PAGE, epoch, of: 1, partitions: vec![0] };
        let mut conn = self.core.pool.acquire().await?;
        let answer = asked(subscriptions::read(&mut conn, &self.core.texts, &self.filter, &scan)).await;
        let Some(events) = answer.settle(conn)? else { return self.enter_epoch().await };
        let full = events.len() as i64 == PAGE;
        events.last().inspect(|(_, event)| self.reached.processed(event));
        if !full {
            self.reached.passed(mark);
        }
        self.page = events.into_iter().map(|(_, event)| event).collect();
        Ok(())
    }

    /// Goes on in the present epoch: behind the last event, when that is of this history.
    async fn enter_epoch(&mut self) -> Result<()> {
        let mut conn = self.core.pool.acquire().await?;
        let answer = asked(epochs::resume(&mut conn, &self.core.texts, &self.reached)).await;
        let diverged = || Error::HistoryDiverged { name: "tail".to_owned(), position: self.reached.position };
        self.reached = answer.settle(conn)?.ok_or_else(diverged)?;
        self.reached.passed(self.after); // nothing before is asked for, whichever history it is of
        Ok(())
    }
}
