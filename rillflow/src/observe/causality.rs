//! What caused what, from stored events.

use std::collections::HashMap;

use uuid::Uuid;

use super::diagram::Diagram;
use crate::EventEnvelope;

/// The events of one correlation id, in their global order, with the categories of their streams.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Causality {
    /// What they have in common.
    pub correlation_id: Uuid,
    /// The events.
    pub events: Vec<EventEnvelope>,
    /// The category of each stream: `order`, or nothing for a stream that no aggregate began.
    pub categories: HashMap<Uuid, String>,
}

impl Causality {
    /// A Mermaid sequence diagram: an arrow from the stream of the event that caused another to the stream of that one.
    /// What no event of it caused comes from `caller`.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut diagram = Diagram::default();
        let caller = diagram.participant("caller");
        let by_id: HashMap<Uuid, &EventEnvelope> = self.events.iter().map(|it| (it.event_id, it)).collect();
        for event in &self.events {
            let cause = event.causation_id.and_then(|id| by_id.get(&id));
            let from = cause.map_or(caller, |cause| diagram.participant(&self.name(cause)));
            let to = diagram.participant(&self.name(event));
            diagram.message(from, to, &format!("{} (version {})", event.typ, event.stream_seq));
        }
        diagram.render()
    }

    /// What a stream is called in the diagram: its category and the end of its id, which differs most.
    fn name(&self, event: &EventEnvelope) -> String {
        let id = event.stream_id.0.to_string();
        let end = &id[id.len() - 12..];
        match self.categories.get(&event.stream_id.0).filter(|it| !it.is_empty()) {
            Some(category) => format!("{category} {end}"),
            None => end.to_owned(),
        }
    }
}
