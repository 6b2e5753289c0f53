use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
#[document(index(titel))]
struct Note {
    #[document(id)]
    id: i64,
    title: String,
}

fn main() {}
