use rillflow::{Document, DocumentValue, Query, compiled_query};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Serialize, Deserialize, DocumentValue)]
enum Phase {
    Open,
    Closed,
}

#[derive(Serialize, Deserialize, Document)]
#[document(index(opened desc, where(|t| t.phase == Phase::Open)))]
struct Ticket {
    #[document(id)]
    id: i64,
    opened: i64,
    phase: Phase,
}

#[compiled_query]
fn latest() -> impl Query<Vec<Ticket>> {
    Ticket::query().order_by(|t| t.opened.desc()).limit(5)
}

fn main() {
    let _ = (Phase::Open, Phase::Closed);
}
