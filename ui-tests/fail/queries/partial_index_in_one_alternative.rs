use rillflow::{Document, DocumentValue, Query, compiled_query};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Serialize, Deserialize, DocumentValue)]
enum Phase {
    Open,
    Closed,
}

#[derive(Serialize, Deserialize, Document)]
struct Ticket {
    #[document(id)]
    id: i64,
    #[document(index(where(|t| t.phase == Phase::Open)))]
    owner: String,
    phase: Phase,
}

#[compiled_query]
fn of_owner(owner: &str) -> impl Query<Vec<Ticket>> {
    Ticket::query().filter(|t| (t.phase == Phase::Open && t.owner == owner) || t.owner == "nobody")
}

fn main() {
    let _ = (Phase::Open, Phase::Closed);
}
