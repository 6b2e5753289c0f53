use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Ticket {
    #[document(id(sequence))]
    id: String,
}

fn main() {}
