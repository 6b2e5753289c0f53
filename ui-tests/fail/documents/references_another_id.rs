use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Author {
    #[document(id)]
    id: String,
}

#[derive(Serialize, Deserialize, Document)]
struct Article {
    #[document(id)]
    id: i64,
    #[document(references = Author)]
    author: i64,
}

fn main() {}
