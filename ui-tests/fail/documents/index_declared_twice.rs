use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
#[document(index(title))]
struct Note {
    #[document(id)]
    id: i64,
    #[document(index)]
    title: String,
}

fn main() {}
