use rillflow::{Document, DocumentValue};
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
    #[document(index(where(|t| t.fase == Phase::Open)))]
    owner: String,
    phase: Phase,
}

fn main() {
    let _ = (Phase::Open, Phase::Closed);
}
