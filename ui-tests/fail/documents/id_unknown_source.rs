use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Ticket {
    #[document(id(serial))]
    id: i64,
}

fn main() {}
