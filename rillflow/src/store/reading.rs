//! Reading: one stream or all of them, forwards or backwards, as a list, as pages, as a `Stream`.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};

use super::Events;
use crate::Result;
use crate::model::{EventEnvelope, EventSet, StreamKey, TagQuery};
use crate::runtime::SharedCore;
use crate::runtime::reading::{self, EventPage, PAGE, Range};
use crate::storage::reading::Filter;

impl<'s> Events<'s> {
    /// Begins to read one stream: from its first event forwards, unless told otherwise.
    ///
    /// ```no_run
    /// # async fn example(store: rillflow::Store, id: uuid::Uuid) -> rillflow::Result<()> {
    /// let last_ten = store.events().stream(id).backwards().limit(10).fetch_all().await?;
    /// let since_five = store.events().stream(id).from_version(5).fetch_all().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(&self, stream: impl StreamKey) -> ReadStream<'s> {
        let range = Range { stream_id: stream.stream_id(), backwards: false, from: 1, limit: i64::MAX };
        ReadStream { core: self.core, range, from: None }
    }

    /// Begins to read all streams in their global order, up to the safe mark: no event can appear before one that was
    /// read.
    ///
    /// ```no_run
    /// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
    /// let mut after = 0;
    /// loop {
    ///     let page = store.events().all().after(after).types(["order-placed"]).page().await?;
    ///     for event in &page.events {
    ///         println!("{} {}", event.global_seq, event.typ);
    ///     }
    ///     after = page.position;
    ///     if page.reached_end {
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn all(&self) -> ReadAll<'s> {
        ReadAll { core: self.core, filter: Filter::default(), after: 0, limit: None }
    }
}

/// Which events of one stream to read.
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is read before `fetch_all().await` or `fetch()`"]
pub struct ReadStream<'s> {
    core: &'s SharedCore,
    range: Range,
    from: Option<i64>,
}

impl ReadStream<'_> {
    /// Reads from the newest event to the oldest.
    pub fn backwards(mut self) -> Self {
        self.range.backwards = true;
        self
    }

    /// Begins with the event of this version; going backwards, ends up at the first.
    pub fn from_version(mut self, version: i64) -> Self {
        self.from = Some(version);
        self
    }

    /// Reads at most this many events.
    pub fn limit(mut self, events: u32) -> Self {
        self.range.limit = i64::from(events);
        self
    }

    fn range(&self) -> Range {
        let end = if self.range.backwards { i64::MAX } else { 1 };
        Range { from: self.from.unwrap_or(end), ..self.range }
    }

    /// Reads them in one statement, all into memory.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn fetch_all(self) -> Result<Vec<EventEnvelope>> {
        reading::read_range(self.core, self.range()).await
    }

    /// Reads them one by one: a page is in memory at a time, and no connection is held between two pages.
    ///
    /// Events that are appended meanwhile are read too, going forwards.
    #[must_use = "a stream reads nothing before it is polled"]
    pub fn fetch(self) -> EventStream {
        EventStream(reading::stream_range(self.core.clone(), self.range()).boxed())
    }
}

/// Which events of all streams to read. Filters are applied by PostgreSQL; several filters must all let an event pass.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `page().await`, `fetch_all().await` or `fetch()`"]
pub struct ReadAll<'s> {
    core: &'s SharedCore,
    filter: Filter,
    after: i64,
    limit: Option<u32>,
}

impl ReadAll<'_> {
    /// Begins after this position, such as that of an [`EventPage`] or an [`EventEnvelope`]; 0 is before the first.
    pub fn after(mut self, position: i64) -> Self {
        self.after = position;
        self
    }

    /// Reads only events of these stored names, and of those given before.
    pub fn types<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.filter.types.get_or_insert_default().extend(names.into_iter().map(Into::into));
        self
    }

    /// Reads only the events of this set, and of those given before.
    pub fn events_of<E: EventSet>(self) -> Self {
        self.types(E::TYPES.iter().map(|it| it.name))
    }

    /// Reads only streams of these categories, and of those given before.
    pub fn categories<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.filter.categories.get_or_insert_default().extend(names.into_iter().map(Into::into));
        self
    }

    /// Reads only these streams, and those given before.
    pub fn streams<K: StreamKey>(mut self, streams: impl IntoIterator<Item = K>) -> Self {
        self.filter.streams.get_or_insert_default().extend(streams.into_iter().map(|it| it.stream_id().0));
        self
    }

    /// Reads only events with these tags; of several queries, those that either finds.
    pub fn tags(mut self, query: TagQuery) -> Self {
        self.filter.tags = Some(match self.filter.tags.take() {
            Some(before) => before.or(query),
            None => query,
        });
        self
    }

    /// Reads at most this many events; a page holds 500 unless this says otherwise.
    pub fn limit(mut self, events: u32) -> Self {
        self.limit = Some(events);
        self
    }

    /// Reads one page, and says where the next one begins.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn page(self) -> Result<EventPage> {
        let limit = self.limit.map_or(PAGE, |it| i64::from(it.max(1)));
        reading::read_page(self.core, &self.filter, self.after, limit).await
    }

    /// Reads them one by one, up to the safe mark as it is when reading begins: a page is in memory at a time, and no
    /// connection is held between two pages.
    #[must_use = "a stream reads nothing before it is polled"]
    pub fn fetch(self) -> EventStream {
        let limit = self.limit.map_or(i64::MAX, i64::from);
        EventStream(reading::stream_all(self.core.clone(), self.filter, self.after, limit).boxed())
    }

    /// Reads them all into memory.
    ///
    /// # Errors
    ///
    /// As [`page`](Self::page).
    pub async fn fetch_all(self) -> Result<Vec<EventEnvelope>> {
        let mut events = Vec::new();
        let mut all = self.fetch();
        while let Some(event) = all.next().await {
            events.push(event?);
        }
        Ok(events)
    }
}

/// Events as they are read. It borrows nothing, may be sent anywhere, and loses nothing when a `next()` is given up.
///
/// Each page that it reads is an operation `read`, with its span and its time; between two pages nothing is under way.
#[must_use = "a stream reads nothing before it is polled"]
pub struct EventStream(BoxStream<'static, Result<EventEnvelope>>);

impl EventStream {
    pub(super) fn new(events: BoxStream<'static, Result<EventEnvelope>>) -> Self {
        Self(events)
    }

    /// The payloads alone, as one of a closed set. An event that is not of the set is an error.
    ///
    /// ```no_run
    /// # use rillflow::Event;
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # pub struct Placed { pub total: i64 }
    /// # #[derive(Event)]
    /// # pub enum OrderEvent { Placed(Placed) }
    /// # async fn example(store: rillflow::Store, id: uuid::Uuid) -> rillflow::Result<()> {
    /// use futures_util::StreamExt;
    ///
    /// let mut events = store.events().stream(id).fetch().decode::<OrderEvent>();
    /// while let Some(event) = events.next().await {
    ///     let OrderEvent::Placed(placed) = event?;
    ///     println!("{}", placed.total);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn decode<E: EventSet>(self) -> DecodedEvents<E> {
        DecodedEvents { events: self, rest: VecDeque::new() }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventStream")
    }
}

impl Stream for EventStream {
    type Item = Result<EventEnvelope>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

/// Typed events as they are read.
#[derive(Debug)]
#[must_use = "a stream reads nothing before it is polled"]
pub struct DecodedEvents<E> {
    events: EventStream,
    /// What is left of an event that was split.
    rest: VecDeque<E>,
}

// an event that waits is moved out whole, never pinned
impl<E> Unpin for DecodedEvents<E> {}

impl<E: EventSet> Stream for DecodedEvents<E> {
    type Item = Result<E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(event) = self.rest.pop_front() {
            return Poll::Ready(Some(Ok(event)));
        }
        let mut events = match ready!(self.events.poll_next_unpin(cx)) {
            Some(event) => match event.and_then(|event| event.decode_each()) {
                Ok(events) => VecDeque::from(events),
                Err(error) => return Poll::Ready(Some(Err(error))),
            },
            None => return Poll::Ready(None),
        };
        let first = events.pop_front();
        self.rest = events;
        Poll::Ready(first.map(Ok))
    }
}
