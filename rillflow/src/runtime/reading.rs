//! Reading page by page: bounded memory, and no connection held between two pages.

use std::collections::VecDeque;

use futures_util::Stream;
use futures_util::stream::try_unfold;

use super::SharedCore;
use crate::Result;
use crate::model::{EventEnvelope, StreamId};
use crate::observe::operation;
use crate::storage::reading::{Filter, read_filtered, read_stream_backwards};
use crate::storage::{events, marks};

/// How many events are read ahead at most.
pub(crate) const PAGE: i64 = 500;

/// Which part of one stream to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) stream_id: StreamId,
    pub(crate) backwards: bool,
    /// The first version to read.
    pub(crate) from: i64,
    /// How many events at most.
    pub(crate) limit: i64,
}

/// Reads the range in one statement.
pub(crate) async fn read_range(core: &SharedCore, range: Range) -> Result<Vec<EventEnvelope>> {
    operation!(core, "read", "events").stream(range.stream_id).run(one_range(core, range)).await
}

async fn one_range(core: &SharedCore, range: Range) -> Result<Vec<EventEnvelope>> {
    let Range { stream_id, from, limit, .. } = range;
    let mut conn = core.pool.acquire().await?;
    if range.backwards {
        read_stream_backwards(&mut conn, &core.texts, stream_id, from.saturating_add(1), limit).await
    } else {
        events::read_stream(&mut conn, &core.texts, stream_id, from.saturating_sub(1), limit).await
    }
}

/// Reads the range page by page.
pub(crate) fn stream_range(
    core: SharedCore,
    range: Range,
) -> impl Stream<Item = Result<EventEnvelope>> + Send + 'static {
    pages(range.limit, range, move |range, limit| {
        let core = core.clone();
        async move {
            let page = read_range(&core, Range { limit, ..range }).await?;
            let from = page.last().map_or(range.from, |it| it.stream_seq + if range.backwards { -1 } else { 1 });
            Ok((page, Range { from, ..range }))
        }
    })
}

/// Events of all streams, and where to go on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EventPage {
    /// The events, in their global order.
    pub events: Vec<EventEnvelope>,
    /// Where the next page begins: behind everything this one looked at, events that the filter left out as well.
    pub position: i64,
    /// True when there was nothing more to read up to the safe mark.
    pub reached_end: bool,
}

/// Reads one page of all streams.
pub(crate) async fn read_page(core: &SharedCore, filter: &Filter, after: i64, limit: i64) -> Result<EventPage> {
    operation!(core, "read", "events").run(one_page(core, filter, after, limit)).await
}

async fn one_page(core: &SharedCore, filter: &Filter, after: i64, limit: i64) -> Result<EventPage> {
    let mut conn = core.pool.acquire().await?;
    let mark = marks::safe_mark(&mut conn, &core.texts).await?.mark;
    let events = read_filtered(&mut conn, &core.texts, after, mark, filter, limit).await?;
    let reached_end = (events.len() as i64) < limit;
    let last = events.last().map_or(after, |it| it.global_seq);
    let position = if reached_end { mark.max(after) } else { last };
    Ok(EventPage { events, position, reached_end })
}

/// Reads all streams page by page, up to the mark as it is when the first page is read.
pub(crate) fn stream_all(
    core: SharedCore,
    filter: Filter,
    after: i64,
    limit: i64,
) -> impl Stream<Item = Result<EventEnvelope>> + Send + 'static {
    let filter = std::sync::Arc::new(filter);
    pages(limit, (after, None), move |(after, mark), limit| {
        let (core, filter) = (core.clone(), filter.clone());
        async move {
            let reading = async {
                let mut conn = core.pool.acquire().await?;
                let mark = match mark {
                    Some(mark) => mark,
                    None => marks::safe_mark(&mut conn, &core.texts).await?.mark,
                };
                let page = read_filtered(&mut conn, &core.texts, after, mark, &filter, limit).await?;
                let after = page.last().map_or(mark, |it| it.global_seq);
                Ok((page, (after, Some(mark))))
            };
            operation!(&core, "read", "events").run(reading).await
        }
    })
}

/// What is left of a page, where the next one begins, and how many events may still come.
struct Pages<S> {
    page: VecDeque<EventEnvelope>,
    next: Option<S>,
    left: i64,
}

/// Events one by one; `read` gets a page and says where the next one begins. A page that is not full is the last.
fn pages<S, F>(
    limit: i64,
    start: S,
    read: impl Fn(S, i64) -> F + Send + 'static,
) -> impl Stream<Item = Result<EventEnvelope>> + Send + 'static
where
    S: Send + 'static,
    F: Future<Output = Result<(Vec<EventEnvelope>, S)>> + Send + 'static,
{
    let first = Pages { page: VecDeque::new(), next: Some(start), left: limit };
    try_unfold((first, read), |(mut pages, read)| async move {
        let start = if pages.page.is_empty() && pages.left > 0 { pages.next.take() } else { None };
        if let Some(start) = start {
            let wanted = pages.left.min(PAGE);
            let (page, next) = read(start, wanted).await?;
            pages.left -= page.len() as i64;
            pages.next = (page.len() as i64 == wanted).then_some(next);
            pages.page = page.into();
        }
        Ok(pages.page.pop_front().map(|event| (event, (pages, read))))
    })
}
