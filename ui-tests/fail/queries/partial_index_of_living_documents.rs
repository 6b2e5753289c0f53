use rillflow::{Document, DocumentValue, Query, compiled_query};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Serialize, Deserialize, DocumentValue)]
enum Phase {
    Open,
    Closed,
}

#[derive(Serialize, Deserialize, Document)]
#[document(soft_delete)]
struct Ticket {
    #[document(id)]
    id: i64,
    #[document(index(where(not_deleted)))]
    owner: String,
    phase: Phase,
}

#[compiled_query]
fn of_owner(owner: &str) -> impl Query<Vec<Ticket>> {
    Ticket::query().filter(|t| t.owner == owner).include_deleted()
}

fn main() {
    let _ = (Phase::Open, Phase::Closed);
}
