use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
#[serde(tag = "kind")]
struct Note {
    #[document(id)]
    id: i64,
}

fn main() {}
