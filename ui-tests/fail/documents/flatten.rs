use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Extra {
    color: String,
}

#[derive(Serialize, Deserialize, Document)]
struct Note {
    #[document(id)]
    id: i64,
    #[serde(flatten)]
    extra: Extra,
}

fn main() {}
