use rillflow::{Document, DocumentFields};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DocumentFields)]
struct Extra {
    color: String,
}

#[derive(Serialize, Deserialize, Document)]
struct Note {
    #[document(id)]
    id: i64,
    #[document(index)]
    #[serde(flatten)]
    extra: Extra,
}

fn main() {}
