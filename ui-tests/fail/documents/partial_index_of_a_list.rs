use rillflow::{Document, DocumentValue};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Serialize, Deserialize, DocumentValue)]
enum Phase {
    Open,
    Closed,
}

#[derive(Serialize, Deserialize, Document)]
#[document(index(owner, where(|t| t.tags.contains("vip") || t.phase == Phase::Open)))]
struct Ticket {
    #[document(id)]
    id: i64,
    owner: String,
    tags: Vec<String>,
    phase: Phase,
}

fn main() {
    let _ = (Phase::Open, Phase::Closed);
}
