use rillflow::{Document, Store};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Ticket {
    #[document(id)]
    id: i64,
}

fn create(store: &Store, ticket: &mut Ticket) {
    drop(store.docs().create(ticket));
}

fn main() {
    let _ = create;
}
