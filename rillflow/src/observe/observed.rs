//! One operation: its span, its time, its error.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tracing::field::display;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::{Observer, measure};
use crate::model::traceparent::carried;
use crate::storage::append::Append;
use crate::{Appended, EventEnvelope, Result};

/// An operation that is about to run.
#[derive(Debug)]
pub(crate) struct Operation<'c> {
    name: &'static str,
    collection: &'c str,
    pub(crate) span: Span,
}

impl<'c> Operation<'c> {
    /// Begun by the macro `operation!`, which makes the span.
    pub(crate) fn new(name: &'static str, collection: &'c str, span: Span) -> Self {
        Self { name, collection, span }
    }

    /// Says which stream it is about.
    pub(crate) fn stream(self, stream_id: crate::StreamId) -> Self {
        self.span.record("rillflow.stream_id", display(stream_id));
        self
    }

    /// Says how many events it is about.
    pub(crate) fn events(self, events: usize) -> Self {
        self.span.record("rillflow.events", events);
        self
    }

    /// Runs it in its span, and tells how long it took.
    ///
    /// What it runs is put on the heap before anybody holds it: a future is moved from hand to hand, whole, until it is
    /// polled, and each `async fn` that takes one has room for it twice.
    pub(crate) fn run_any<T>(&self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        self.timed(Box::pin(work))
    }

    async fn timed<T>(&self, work: Pin<Box<impl Future<Output = T>>>) -> T {
        let began = measure::begin();
        let result = if self.span.is_disabled() { work.await } else { work.instrument(self.span.clone()).await };
        measure::operation(began, self.name, self.collection);
        result
    }

    /// As [`run_any`](Self::run_any), and tells how it went.
    pub(crate) fn run<T>(self, work: impl Future<Output = Result<T>>) -> impl Future<Output = Result<T>> {
        let work = Box::pin(work);
        async move {
            let result = self.timed(work).await;
            self.went(result.as_ref().err());
            result
        }
    }

    /// As [`run`](Self::run), of work whose reader may have had enough at any time: dropped, it is done as well, and took
    /// as long as until then.
    pub(crate) async fn run_while_wanted<T>(self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let timed = Timed { began: Some(measure::begin()), operation: &self };
        let result = work.instrument(self.span.clone()).await;
        drop(timed);
        self.went(result.as_ref().err());
        result
    }

    fn went(&self, error: Option<&crate::Error>) {
        let Some(error) = error else { return };
        let name = name_of(error);
        self.span.record("otel.status_code", "ERROR");
        self.span.record("error.type", name.as_str());
        measure::failed(self.name, self.collection, name);
    }
}

/// Tells how long an operation took, when it is dropped.
struct Timed<'o> {
    began: Option<measure::Began>,
    operation: &'o Operation<'o>,
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        if let Some(began) = self.began.take() {
            measure::operation(began, self.operation.name, self.operation.collection);
        }
    }
}

/// The variant of an error: `VersionConflict`.
pub(super) fn name_of(error: &crate::Error) -> String {
    let words = format!("{error:?}");
    words.split(|it: char| !it.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// The batch of a projection, about to be folded and written: its span is linked to the appends of its events.
pub(crate) fn projecting<'c>(
    observer: &Observer,
    operation: Operation<'c>,
    projection: &str,
    events: &[Arc<EventEnvelope>],
) -> Operation<'c> {
    let operation = operation.events(events.len());
    batch(observer, &operation, ("project", projection), events.iter().map(|it| &**it));
    operation
}

/// Events that a subscription read: the span is linked to their appends.
pub(crate) fn delivering(observer: &Observer, operation: &Operation<'_>, subscription: &str, events: &[Delivered]) {
    operation.span.record("rillflow.events", events.len());
    batch(observer, operation, ("deliver", subscription), events.iter().map(|(_, event)| event));
}

/// An event, and the partition that it is of.
type Delivered = (i32, EventEnvelope);

/// Says up to where a batch goes, links its span, and tells the sink what is done by whom.
fn batch<'e>(
    observer: &Observer,
    operation: &Operation<'_>,
    (what, by): (&'static str, &str),
    events: impl Iterator<Item = &'e EventEnvelope> + Clone,
) {
    if let Some(last) = events.clone().last() {
        operation.span.record("rillflow.position", last.global_seq);
    }
    if let Some(context) = observer.context.as_ref().filter(|_| !operation.span.is_disabled()) {
        carried(events.clone()).iter().for_each(|traceparent| context.link(&operation.span, traceparent));
    }
    if let Some(sink) = &observer.sink {
        let correlated = events.filter_map(|event| Some((event.correlation_id?, event)));
        correlated.for_each(|(id, event)| sink.record(id, what, by, &*event.typ));
    }
}

/// An append under way, as the [`TraceSink`](super::TraceSink) and the metrics see it: nothing, when nobody looks.
#[derive(Debug)]
pub(crate) struct Appending<'c> {
    observer: &'c Observer,
    events: usize,
    /// What the sink is to keep: correlation id, category, event.
    correlated: Vec<(Uuid, String, String)>,
}

impl<'c> Appending<'c> {
    pub(crate) fn of(observer: &'c Observer, append: &Append) -> Self {
        let stream = || match append.category.as_str() {
            "" => format!("stream {}", append.stream_id),
            category => format!("{category} {}", append.stream_id),
        };
        let correlated = match &observer.sink {
            Some(_) => append.correlated().map(|(id, event)| (id, stream(), event.to_owned())).collect(),
            None => Vec::new(),
        };
        Self { observer, events: append.events.len(), correlated }
    }

    /// Tells how it went, and hands it on.
    pub(crate) fn done(self, result: Result<Appended>) -> Result<Appended> {
        self.went(result.as_ref().err());
        result
    }

    /// Tells how it went.
    pub(crate) fn went(self, error: Option<&crate::Error>) {
        if error.is_none() {
            measure::appended(self.events);
        }
        let Some(sink) = &self.observer.sink else { return };
        for (id, stream, event) in self.correlated {
            match error {
                None => sink.record(id, "append", stream, event),
                Some(error) => sink.record(id, "failed", stream, format!("{event}: {}", name_of(error))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_holds_an_operation_does_not_hold_all_that_it_runs() {
        let operation = || Operation::new("append", "events", Span::none());
        let work = || async {
            let much = [1_u8; 64 * 1024];
            tokio::task::yield_now().await;
            much.len()
        };
        let run = operation().run(async { Ok(work().await) });
        assert!(size_of_val(&run) < 1024, "{}", size_of_val(&run));
        assert_eq!(run.await.unwrap_or_default(), 64 * 1024);
        let operation = operation();
        assert!(size_of_val(&operation.run_any(work())) < 1024);
    }
}
