//! Following the log without a place that is kept: nothing is written, nothing is acknowledged.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::watch;

use super::consumer::asked;
use crate::Result;
use crate::model::{EventEnvelope, SubscriptionFilter};
use crate::runtime::SharedCore;
use crate::runtime::backoff::Backoff;
use crate::runtime::listener::{Listener, Listening};
use crate::runtime::marks::Marks;
use crate::runtime::reading::PAGE;
use crate::storage::subscriptions::{self, Scan};

struct Tail {
    core: SharedCore,
    filter: SubscriptionFilter,
    after: i64,
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
            if self.after < mark {
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
        let scan = Scan { after: self.after, until: mark, limit: PAGE, of: 1, partitions: vec![0] };
        let mut conn = self.core.pool.acquire().await?;
        let answer = asked(subscriptions::read(&mut conn, &self.core.texts, &self.filter, &scan)).await;
        let events = answer.settle(conn)?;
        let full = events.len() as i64 == PAGE;
        self.after = events.last().filter(|_| full).map_or(mark, |(_, event)| event.global_seq);
        self.page = events.into_iter().map(|(_, event)| event).collect();
        Ok(())
    }
}
