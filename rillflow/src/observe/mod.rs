//! Seeing what happens: spans, metrics, trace context in event headers, and causality as diagrams.
//!
//! # Spans
//!
//! Every operation runs in a [`tracing`] span of the target `rillflow`, with fields as OpenTelemetry's database
//! conventions name them: `db.system.name`, `db.namespace` (the schema), `db.operation.name`, `db.collection.name`; and
//! `otel.name`, `otel.kind`, `otel.status_code`, `error.type`, as `tracing-opentelemetry` reads them. Operations are
//! `append`, `commit`, `load`, `decide`, `read`, `query`, `project`, `deliver`, `ack`, `publish` of a relay, and `put`, `get`.. of documents, each named like the
//! method that does it. A result read as a stream is one `query` from the first poll to the last row, an error, or the drop;
//! a dropped one is done, not failed. Events read as a stream are a `read` for each page. `rillflow.stream_id`, `rillflow.events` and `rillflow.position` say more where there is more.
//!
//! # Trace context
//!
//! With [`StoreBuilder::trace_context`](crate::StoreBuilder::trace_context) the caller's `traceparent` goes into the
//! headers of the events that it appends, and the span of a projection's batch is linked to the appends of its events, as
//! is the span `deliver` of what a subscription reads. What handles a delivered event finds the context in its headers.
//!
//! # Metrics
//!
//! With the feature `metrics`, through the facade of that name:
//!
//! | metric | kind | labels |
//! |---|---|---|
//! | `rillflow_operation_duration_seconds` | histogram | `operation`, `collection` |
//! | `rillflow_operation_errors_total` | counter | `operation`, `collection`, `error` |
//! | `rillflow_appended_events_total` | counter | |
//! | `rillflow_append_batch_size` | histogram: appends that shared a statement | |
//! | `rillflow_projection_batch_events` | histogram | `projection` |
//! | `rillflow_projection_events_total` | counter | `projection` |
//! | `rillflow_projection_position` | gauge | `projection` |
//! | `rillflow_projection_lag` | gauge: positions between it and the mark | `projection` |
//! | `rillflow_subscription_events_total` | counter: acknowledged, also in a transaction | `subscription`, `group` |
//! | `rillflow_subscription_handling_seconds` | histogram: from being taken to being acknowledged | `subscription`, `group` |
//! | `rillflow_subscription_failures_total` | counter: refused, or given up | `subscription`, `group` |
//! | `rillflow_subscription_in_flight` | gauge: taken here and not acknowledged | `subscription`, `group` |
//! | `rillflow_subscription_position` | gauge: the lowest checkpoint held here | `subscription`, `group` |
//! | `rillflow_subscription_lag` | gauge: positions between that and the mark | `subscription`, `group` |
//! | `rillflow_mark_position` | gauge | |
//! | `rillflow_mark_lag` | gauge: positions drawn and not settled | |
//! | `rillflow_mark_age_seconds` | gauge: how long something has been open before the mark | |
//!
//! `operation` and `collection` are the fields of the span. An error is named as the variant of
//! [`Error`](crate::Error).
//!
//! # Causality
//!
//! [`Events::causality`](crate::Events::causality) draws a stored history by its correlation id; a [`TraceSink`] records
//! what runs, for development. Both write Mermaid sequence diagrams.

mod causality;
mod context;
mod diagram;
pub(crate) mod measure;
mod observed;
mod sink;

pub use causality::Causality;
pub use context::TraceContext;
pub use sink::TraceSink;

pub(crate) use observed::{Appending, Operation, delivering, projecting};

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Who looks on at a store, beside the span's and the metrics' own listeners.
#[derive(Clone, Default)]
pub(crate) struct Observer {
    pub(crate) context: Option<Arc<dyn TraceContext>>,
    pub(crate) sink: Option<TraceSink>,
    /// The mark that something open holds, and since when.
    open: Arc<Mutex<Option<(i64, Instant)>>>,
}

impl Observer {
    /// The caller's trace context, when the application told how to find it.
    pub(crate) fn traceparent(&self) -> Option<String> {
        self.context.as_ref()?.current()
    }
}

impl Observer {
    /// Tells the metrics how far the order is settled, and since when something has been open.
    pub(crate) fn mark(&self, mark: i64, drawn: i64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // an open append that the mark has passed since is another one
        *open = (mark < drawn).then(|| open.filter(|(at, _)| *at == mark).unwrap_or_else(|| (mark, Instant::now())));
        measure::mark(mark, drawn, open.map(|(_, since)| since));
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (context, sink) = (self.context.is_some(), self.sink.is_some());
        f.debug_struct("Observer").field("context", &context).field("sink", &sink).finish()
    }
}

/// Begins an operation: `operation!(core, "append", "events")`.
macro_rules! operation {
    ($core:expr, $name:literal, $collection:expr) => {{
        let (core, collection) = ($core, $collection);
        let span = tracing::info_span!(
            target: "rillflow",
            $name,
            otel.name = %format_args!(concat!($name, " {}"), collection),
            otel.kind = "client",
            otel.status_code = tracing::field::Empty,
            db.system.name = "postgresql",
            db.namespace = %core.texts.schema(),
            db.operation.name = $name,
            db.collection.name = collection,
            error.r#type = tracing::field::Empty,
            rillflow.stream_id = tracing::field::Empty,
            rillflow.events = tracing::field::Empty,
            rillflow.position = tracing::field::Empty,
        );
        $crate::observe::Operation::new($name, collection, span)
    }};
}
pub(crate) use operation;
