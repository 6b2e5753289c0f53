use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Note {
    #[document(id)]
    id: i64,
    #[serde(rename(serialize = "a", deserialize = "b"))]
    text: String,
}

fn main() {}
