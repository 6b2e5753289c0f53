use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
#[document(table = "notes")]
struct Note {
    #[document(id)]
    id: i64,
}

fn main() {}
