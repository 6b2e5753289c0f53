//! Reading the log for projections: those near its head share one read, those far behind read for themselves.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Core;
use crate::Result;
use crate::model::{EventEnvelope, Registered, Shard};
use crate::storage::events;

/// How many events are kept for those who come a little later.
const KEPT: usize = 2000;
/// How many positions behind the mark a projection may be to share a read.
const NEAR: i64 = 1000;

/// Events to handle.
pub(super) struct Events {
    pub(super) events: Vec<Arc<EventEnvelope>>,
    /// There is none for this projection between the last of them and here.
    pub(super) reached: i64,
}

/// What the projections of a process read last.
#[derive(Debug, Default)]
pub(crate) struct LogReader(tokio::sync::Mutex<Window>);

/// Every event for any async projection after `from` and up to `to`.
#[derive(Debug, Default)]
struct Window {
    from: i64,
    to: i64,
    events: VecDeque<Arc<EventEnvelope>>,
}

impl LogReader {
    /// Events for `reader` after `after` and up to `until`, which is no further than a mark computed earlier.
    pub(super) async fn read(
        &self,
        core: &Core,
        shared: bool,
        after: i64,
        until: i64,
        reader: &Registered,
        limit: i64,
    ) -> Result<Events> {
        if shared && until - after <= NEAR {
            let mut window = self.0.lock().await;
            window.reach(core, after, until).await?;
            if window.from <= after {
                return Ok(window.serve(after, until, reader, limit));
            }
        }
        let types = reader.types.as_deref();
        let events = read(core, after, until, types, limit, reader.shard).await?;
        let full = events.len() as i64 == limit;
        let reached = events.last().filter(|_| full).map_or(until, |last| last.global_seq);
        Ok(Events { events, reached })
    }

    /// Forgets what was read: a projection is taken up, and the history may be another one by now.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = Window::default();
    }
}

impl Window {
    /// Reads on to `until`, when `after` lies within, or beyond, what is known.
    async fn reach(&mut self, core: &Core, after: i64, until: i64) -> Result<()> {
        if after > self.to {
            *self = Self { from: after, to: after, events: VecDeque::new() };
        }
        if after < self.from || until <= self.to {
            return Ok(());
        }
        // one more than positions can lie between: the read is always whole
        let events =
            read(core, self.to, until, types_of_all(core).as_deref(), until - self.to + 1, Shard::WHOLE).await?;
        self.events.extend(events);
        self.to = until;
        while self.events.len() > KEPT {
            if let Some(oldest) = self.events.pop_front() {
                self.from = oldest.global_seq;
            }
        }
        Ok(())
    }

    fn serve(&self, after: i64, until: i64, reader: &Registered, limit: i64) -> Events {
        let wanted = |event: &&Arc<EventEnvelope>| {
            reader.types.as_ref().is_none_or(|types| types.contains(&event.typ)) && reader.shard.holds(event.stream_id)
        };
        let first = self.events.partition_point(|event| event.global_seq <= after);
        let within = self.events.range(first..).take_while(|event| event.global_seq <= until);
        let events: Vec<_> = within.filter(wanted).take(limit.max(0) as usize).cloned().collect();
        let full = events.len() as i64 == limit;
        let reached = events.last().filter(|_| full).map_or(until.min(self.to), |last| last.global_seq);
        Events { events, reached }
    }
}

async fn read(
    core: &Core,
    after: i64,
    until: i64,
    types: Option<&[Box<str>]>,
    limit: i64,
    shard: Shard,
) -> Result<Vec<Arc<EventEnvelope>>> {
    let types: Option<Vec<&str>> = types.map(|types| types.iter().map(|name| &**name).collect());
    let mut conn = core.pool.acquire().await?;
    let events = match shard {
        Shard::WHOLE => events::read_all(&mut conn, &core.texts, after, until, types.as_deref(), limit).await?,
        part => events::read_shard(&mut conn, &core.texts, after, until, types.as_deref(), limit, part).await?,
    };
    Ok(events.into_iter().map(Arc::new).collect())
}

/// Every type that an async projection asks for; `None` when one asks for all.
fn types_of_all(core: &Core) -> Option<Vec<Box<str>>> {
    let mut all = Vec::new();
    for registered in core.behind() {
        all.extend(registered.types.as_deref()?.iter().cloned());
    }
    all.sort();
    all.dedup();
    Some(all)
}
