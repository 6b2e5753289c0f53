use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Note {
    #[document(id)]
    id: i64,
    #[document(index)]
    tags: Vec<String>,
}

fn main() {}
