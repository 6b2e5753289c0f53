//! The events that are counted, and the read model that counts them too.

use crate::{Document, Event, EventEnvelope, projection};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Every event has a number that no other has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ticked {
    pub(super) number: i64,
}

#[derive(Clone, Debug, Event)]
pub(super) enum TortureEvent {
    #[event(name = "ticked")]
    Ticked(Ticked),
}

pub(super) fn ticked(number: i64) -> TortureEvent {
    TortureEvent::Ticked(Ticked { number })
}

/// One document per stream: what the async projection saw of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Document)]
#[document(collection = "torture_tallies")]
pub(super) struct Tally {
    #[document(id)]
    pub(super) id: Uuid,
    pub(super) events: i64,
    pub(super) sum: i64,
    pub(super) last_position: i64,
    /// How often an event was not the one after the last.
    pub(super) faults: i64,
}

pub(super) struct Tallies;

#[projection(name = "torture-tallies", version = 1, events = TortureEvent, document = Tally, key = stream)]
impl Tallies {
    fn on_ticked(doc: &mut Tally, e: &Ticked, at: &EventEnvelope) {
        let in_order = at.stream_seq == doc.events + 1 && at.global_seq > doc.last_position;
        doc.faults += i64::from(!in_order);
        doc.events += 1;
        doc.sum += e.number;
        doc.last_position = at.global_seq;
    }
}
