//! Natural batching: appends that arrive while the lanes are busy go together in the next statement.
//!
//! A lane is a connection that is kept from append to append. While one is free, an append has it to itself and waits
//! for nobody. When all are busy, appends queue, and the next lane that is done takes all of them, one per stream: no
//! timer, no size to tune. Each caller gets its own outcome; whatever cannot be settled together is settled alone.
//!
//! One append per stream is under way at a time, so that a stream that somebody else holds costs one connection however
//! many callers ask for it; and a lane whose statement takes long makes room for another.

use std::collections::{HashSet, VecDeque};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::SharedCore;
use super::append::settle;
use super::connections::Connection;
use super::marks::Marks;
use crate::model::{Appended, StreamId};
use crate::observe::measure;
use crate::storage::append::{Append, Outcome, append_many};
use crate::storage::failure::broke;
use crate::{Error, Result};

/// How many appends, and how many bytes, go together at most.
const MOST: usize = 128;
const MOST_BYTES: usize = 1 << 20;
/// With more tags than these a statement locks all of them at once: see `rillflow_lock_tags`.
const MOST_TAGS: usize = 64;
/// How long a lane waits for a stream that somebody else holds: then another lane may open, and a batch is taken apart.
const PATIENCE: Duration = Duration::from_millis(50);
const PATIENCE_IN_SQL: &str = "50ms";
/// A lane that rested longer is given back to the pool, which checks it before its next use.
const REST: Duration = Duration::from_secs(1);

/// The lanes of a store.
#[derive(Debug)]
pub(crate) struct Lanes {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    busy: usize,
    resting: Vec<(Connection, Instant)>,
    /// The streams that an append is under way to.
    streams: HashSet<StreamId>,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    append: Append,
    reply: oneshot::Sender<Result<Appended>>,
}

/// A busy lane. Dropped at any time, as by a cancelled caller, it lets the next one begin.
struct Lane {
    core: SharedCore,
    conn: Option<Connection>,
    /// Whether it counts among the busy ones; not after it made room for another.
    counts: bool,
    streams: Vec<StreamId>,
}

/// Where an append goes.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is made")]
enum Way {
    Alone(Lane, Append),
    Together(oneshot::Receiver<Result<Appended>>),
}

impl Lanes {
    /// `most` of them; none means that every append goes alone, on a connection of the pool.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // every change under it is whole before anything can panic
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether somebody waits whom a free lane could serve.
    fn anybody_to_serve(&self) -> bool {
        self.waiting.iter().any(|it| !self.streams.contains(&it.append.stream_id))
    }

    /// Those who wait and can go together: one per stream, in the order they came.
    fn take_batch(&mut self) -> Vec<Waiting> {
        let (mut batch, mut bytes, mut tags, mut rest) = (Vec::new(), 0, 0, VecDeque::new());
        for waiting in self.waiting.drain(..) {
            let tags_fit = batch.is_empty() || tags + waiting.append.tags() <= MOST_TAGS;
            let fits = batch.len() < MOST && bytes < MOST_BYTES && tags_fit;
            if fits && !waiting.reply.is_closed() && self.streams.insert(waiting.append.stream_id) {
                bytes += waiting.append.bytes();
                tags += waiting.append.tags();
                batch.push(waiting);
            } else if !waiting.reply.is_closed() {
                rest.push_back(waiting);
            }
        }
        self.waiting = rest;
        batch
    }

    fn rested(&mut self) -> Option<Connection> {
        self.resting.pop().filter(|(_, since)| since.elapsed() < REST).map(|(conn, _)| conn)
    }
}

/// Appends, alone or together with others. Cancel safe: what was not sent yet is forgotten, what was sent is whole.
pub(super) async fn append(core: &SharedCore, append: Append) -> Result<Appended> {
    if core.lanes.most == 0 {
        return super::append::settle_alone(core, &append).await;
    }
    match enter(core, append) {
        Way::Alone(mut lane, append) => lane.settle(&append).await,
        // the other side goes away without an answer only when the runtime ends
        Way::Together(answer) => answer.await.unwrap_or(Err(Error::PoolTimeout)),
    }
}

fn enter(core: &SharedCore, append: Append) -> Way {
    let mut state = core.lanes.state();
    let free = state.busy < core.lanes.most && !state.anybody_to_serve();
    if free && state.streams.insert(append.stream_id) {
        state.busy += 1;
        let conn = state.rested();
        return Way::Alone(Lane { core: core.clone(), conn, counts: true, streams: vec![append.stream_id] }, append);
    }
    let (reply, answer) = oneshot::channel();
    state.waiting.push_back(Waiting { append, reply });
    Way::Together(answer)
}

impl Lane {
    /// Settles one append, and makes room for another lane when that takes long.
    async fn settle(&mut self, append: &Append) -> Result<Appended> {
        measure::append_batch(1);
        let core = self.core.clone();
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => core.pool.acquire().await?,
        };
        let result = {
            let mut settled = pin!(settle(&mut conn, &core, append));
            match tokio::time::timeout(PATIENCE, &mut settled).await {
                Ok(result) => result,
                Err(_elapsed) => {
                    self.make_room();
                    settled.await
                }
            }
        };
        self.keep(conn, &result);
        result
    }

    /// Keeps a connection that works for the next append.
    fn keep<T>(&mut self, conn: Connection, result: &Result<T>) {
        let works = !result.as_ref().is_err_and(|it| matches!(it, Error::OutcomeUnknown { .. }) || broke(it));
        self.conn = Some(conn).filter(|_| works && self.counts);
    }

    fn make_room(&mut self) {
        if std::mem::take(&mut self.counts) {
            release(&self.core, &[], true, None);
        }
    }

    /// What is next for this lane, after the streams it served.
    fn next_batch(&mut self) -> Vec<Waiting> {
        let mut state = self.core.lanes.state();
        for stream in self.streams.drain(..) {
            state.streams.remove(&stream);
        }
        let batch = state.take_batch();
        self.streams.extend(batch.iter().map(|it| it.append.stream_id));
        batch
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        release(&self.core, &self.streams, self.counts, self.conn.take());
    }
}

/// Ends the work on `streams`. When somebody waits and a lane is free, one opens, otherwise the connection rests.
fn release(core: &SharedCore, streams: &[StreamId], counted: bool, conn: Option<Connection>) {
    let mut state = core.lanes.state();
    for stream in streams {
        state.streams.remove(stream);
    }
    if counted {
        state.busy -= 1;
    }
    if state.busy < core.lanes.most && state.anybody_to_serve() {
        let Ok(runtime) = Handle::try_current() else {
            state.waiting.clear(); // the runtime is gone, and those who wait with it
            return;
        };
        state.busy += 1;
        // one that rests comes before a new one, or more and more of the pool would rest
        let conn = conn.or_else(|| state.rested());
        let lane = Lane { core: core.clone(), conn, counts: true, streams: Vec::new() };
        runtime.spawn(serve(lane));
    } else if let Some(conn) = conn.filter(|_| counted) {
        state.resting.push((conn, Instant::now()));
    }
}

/// Serves those who wait until nobody does.
async fn serve(mut lane: Lane) {
    loop {
        // those who were answered just now come first: what they append next goes along
        tokio::task::yield_now().await;
        let batch = lane.next_batch();
        match batch.len() {
            0 => return,
            1 => {
                for Waiting { append, reply } in batch {
                    let result = lane.settle(&append).await;
                    answer(&lane.core, reply, result);
                }
                if !lane.counts {
                    return; // another lane has opened instead
                }
            }
            _ => serve_together(&mut lane, batch).await,
        }
    }
}

/// Settles a batch in one statement, and what cannot be settled so, one by one beside the lane.
async fn serve_together(lane: &mut Lane, batch: Vec<Waiting>) {
    let outcomes = match together(lane, &batch).await {
        Ok(outcomes) => outcomes,
        Err(Error::OutcomeUnknown { reason, .. }) => {
            for Waiting { append, reply } in batch {
                let unknown = Error::OutcomeUnknown { stream_id: append.stream_id, reason: reason.clone() };
                answer(&lane.core, reply, Err(unknown));
            }
            return;
        }
        // the server refused the statement, so nothing of it was written: one of them is to blame, or a stream is held
        Err(error) => {
            tracing::debug!(%error, appends = batch.len(), "a batch of appends is taken apart");
            batch.iter().map(|_| Outcome::NotAsExpected).collect()
        }
    };
    for (waiting, outcome) in batch.into_iter().zip(outcomes) {
        match outcome {
            Outcome::Appended(appended) => answer(&lane.core, waiting.reply, Ok(appended)),
            Outcome::NotAsExpected | Outcome::OtherEvents => {
                let stream = waiting.append.stream_id;
                lane.streams.retain(|it| *it != stream);
                tokio::spawn(serve_alone(lane.core.clone(), waiting));
            }
        }
    }
}

async fn together(lane: &mut Lane, batch: &[Waiting]) -> Result<Vec<Outcome>> {
    let core = lane.core.clone();
    let mut conn = match lane.conn.take() {
        Some(conn) => conn,
        None => core.pool.acquire().await?,
    };
    let appends: Vec<_> = batch.iter().map(|it| &it.append).collect();
    measure::append_batch(appends.len());
    let result = append_many(&mut conn, &core.texts, &appends, Some(PATIENCE_IN_SQL)).await;
    let result = result.map_err(|error| super::append::outcome_unknown(appends[0], error));
    lane.keep(conn, &result);
    result
}

/// Settles one append of a batch outside of the lanes: it may wait for its stream as long as it takes.
async fn serve_alone(core: SharedCore, Waiting { append, reply }: Waiting) {
    let streams = vec![append.stream_id];
    let mut aside = Lane { core, conn: None, counts: false, streams };
    let result = aside.settle(&append).await;
    answer(&aside.core, reply, result);
}

/// Tells a caller; one that was cancelled is not there to hear it.
fn answer(core: &SharedCore, reply: oneshot::Sender<Result<Appended>>, result: Result<Appended>) {
    if let Ok(appended) = &result {
        Marks::appended(core, appended.position());
    }
    if reply.send(result).is_err() {
        tracing::debug!("an append was settled after its caller was cancelled");
    }
}
