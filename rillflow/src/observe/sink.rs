//! A live recorder for development.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use super::diagram::Diagram;

/// Records what a store does while it runs, per correlation id, and draws it: who appended what, and which projection took
/// it up. In release builds too.
///
/// Keeps the newest entries up to a number, and drops the oldest. A clone shares everything. Give it to
/// [`StoreBuilder::trace_sink`](crate::StoreBuilder::trace_sink), and add breadcrumbs of your own with
/// [`record`](Self::record):
///
/// ```
/// let sink = rillflow::observe::TraceSink::new(1000);
/// let trace = uuid::Uuid::now_v7();
/// sink.record(trace, "request", "web", "POST /orders");
/// assert!(sink.mermaid(trace).contains("POST /orders"));
/// ```
#[derive(Clone, Debug)]
pub struct TraceSink {
    entries: Arc<Mutex<VecDeque<Entry>>>,
    capacity: usize,
}

/// One breadcrumb.
#[derive(Clone, Debug)]
struct Entry {
    trace_id: Uuid,
    kind: String,
    component: String,
    data: String,
}

impl TraceSink {
    /// A recorder that keeps the newest `capacity` entries.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { entries: Arc::default(), capacity: capacity.max(1) }
    }

    /// Keeps a breadcrumb: what happened (`kind`), where (`component`), and what to show of it (`data`).
    pub fn record(
        &self,
        trace_id: Uuid,
        kind: impl Into<String>,
        component: impl Into<String>,
        data: impl Into<String>,
    ) {
        let entry = Entry { trace_id, kind: kind.into(), component: component.into(), data: data.into() };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == self.capacity {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// The entries of a trace as a Mermaid sequence diagram: each is an arrow from the component of the one before.
    #[must_use]
    pub fn mermaid(&self, trace_id: Uuid) -> String {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut diagram = Diagram::default();
        let mut at = diagram.participant("caller");
        for entry in entries.iter().filter(|it| it.trace_id == trace_id) {
            let to = diagram.participant(&entry.component);
            let text = format!("{} {}", entry.kind, entry.data);
            if entry.kind == "failed" {
                diagram.failure(at, to, &text);
            } else {
                diagram.message(at, to, &text);
            }
            at = to;
        }
        diagram.render()
    }
}
