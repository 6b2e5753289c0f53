use rillflow::{Document, DocumentValue, Query, compiled_query};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Serialize, Deserialize, DocumentValue)]
enum Phase {
    Open,
    Closed,
}

#[derive(Serialize, Deserialize, Document)]
#[document(gin(where(|t| t.phase == Phase::Open)))]
struct Ticket {
    #[document(id)]
    id: i64,
    tags: Vec<String>,
    phase: Phase,
}

#[compiled_query]
fn tagged(tag: &str) -> impl Query<Vec<Ticket>> {
    Ticket::query().filter(|t| t.tags.contains(tag))
}

fn main() {
    let _ = (Phase::Open, Phase::Closed);
}
