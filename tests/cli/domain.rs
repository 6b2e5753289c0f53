//! What the mounted command line knows: a document, an aggregate, a projection.

use rillflow::{Aggregate, Document, Event, Lifecycle, StoreBuilder, handlers, projection};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Clone, Debug, Serialize, Deserialize, Document)]
#[document(collection = "customers", soft_delete)]
pub(crate) struct Customer {
    #[document(id)]
    pub(crate) id: i64,
    #[document(index)]
    pub(crate) email: String,
    pub(crate) score: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Inc {
    pub(crate) by: i64,
}

#[derive(Clone, Debug, Event)]
pub(crate) enum CounterEvent {
    #[event(name = "inc")]
    Inc(Inc),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
#[aggregate(events = CounterEvent, stream = "counter")]
pub(crate) struct Counter {
    pub(crate) n: i64,
}

#[handlers]
impl Counter {
    fn on_inc(&mut self, e: &Inc) {
        self.n += e.by;
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, Document)]
#[document(collection = "totals")]
pub(crate) struct Total {
    #[document(id)]
    pub(crate) id: Uuid,
    pub(crate) total: i64,
}

pub(crate) struct Totals;

#[projection(name = "my_projection", version = 1, events = CounterEvent, document = Total, key = stream, on_failure = skip)]
impl Totals {
    fn on_inc(doc: &mut Total, e: &Inc) -> Result<(), String> {
        if doc.total + e.by < 0 {
            return Err("nobody counts below zero".to_owned());
        }
        doc.total += e.by;
        Ok(())
    }
}

/// What the application's server and its command line share.
pub(crate) fn configure(store: StoreBuilder) -> StoreBuilder {
    store.document::<Customer>().projection::<Totals>(Lifecycle::Async)
}
