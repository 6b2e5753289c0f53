use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Note {
    #[document(id)]
    #[serde(skip)]
    id: i64,
}

fn main() {}
