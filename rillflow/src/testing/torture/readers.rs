//! Those who look: readers of all events, and one who watches the mark.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::{Error, Store};
use sqlx::PgPool;
use tokio::sync::watch;
use uuid::Uuid;

use super::PATIENCE;
use super::domain::TortureEvent;

/// How often somebody with nothing to read looks again.
const PAUSE: Duration = Duration::from_millis(2);
const PAGE: i64 = 500;

/// Where the log ends, once no writer is left.
pub(super) type Target = watch::Receiver<Option<i64>>;

/// What one reader saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Position and number, as they came.
    pub(super) events: Vec<(i64, i64)>,
    /// Positions that were not above the one before.
    pub(super) reordered: usize,
    /// Events that were not the next of their stream.
    pub(super) out_of_stream_order: usize,
    pub(super) failure: Option<String>,
}

/// Follows the log to its end.
pub(super) async fn follow(store: Store, target: Target) -> Seen {
    let mut seen = Seen::default();
    if let Err(error) = follow_into(&mut seen, &store, target).await {
        seen.failure = Some(error.to_string());
    }
    seen
}

async fn follow_into(seen: &mut Seen, store: &Store, target: Target) -> Result<(), Error> {
    let (mut after, mut streams) = (0, HashMap::<Uuid, i64>::new());
    let mut ending = None;
    loop {
        let end = *target.borrow();
        let page = store.events().read_all(after, PAGE).await?;
        for event in &page {
            seen.reordered += usize::from(event.global_seq <= after);
            after = after.max(event.global_seq);
            let before = streams.insert(event.stream_id.0, event.stream_seq).unwrap_or(0);
            seen.out_of_stream_order += usize::from(before + 1 != event.stream_seq);
            let TortureEvent::Ticked(ticked) = event.decode()?;
            seen.events.push((event.global_seq, ticked.number));
        }
        let late = end.is_some() && ending.get_or_insert_with(Instant::now).elapsed() > PATIENCE;
        if late || end.is_some_and(|end| end <= after) {
            return Ok(());
        }
        if page.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// What is known of the mark.
#[derive(Debug, Default)]
pub(super) struct Samples {
    /// The furthest it was, each time from when it was asked for. One answer may lie below an earlier one: a floor is
    /// read before it is announced.
    pub(super) taken: Vec<(Instant, i64)>,
    /// What was published last.
    published: i64,
    /// How often something lower was published.
    pub(super) backwards: usize,
    pub(super) failure: Option<String>,
}

const MARKS: &str = "SELECT computed.mark, published.mark FROM rillflow_safe_mark() computed, event_marks published";

/// Asks for the mark, again and again, until it is at the end of the log.
pub(super) async fn sample_mark(pool: PgPool, target: Target) -> Samples {
    let mut samples = Samples::default();
    let mut ending = None;
    loop {
        let (asked, end) = (Instant::now(), *target.borrow());
        let reached = samples.taken.last().map_or(0, |&(_, mark)| mark);
        match sqlx::query_as::<_, (i64, i64)>(MARKS).fetch_one(&pool).await {
            Ok((mark, published)) => {
                samples.taken.push((asked, mark.max(reached)));
                samples.backwards += usize::from(published < samples.published);
                samples.published = published;
            }
            Err(error) => samples.failure = Some(error.to_string()),
        }
        let late = end.is_some() && ending.get_or_insert(asked).elapsed() > PATIENCE;
        if late || samples.failure.is_some() || end.is_some_and(|end| end <= reached) {
            return samples;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
