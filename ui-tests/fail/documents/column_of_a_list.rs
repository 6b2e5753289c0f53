use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Article {
    #[document(id)]
    id: i64,
    #[document(column)]
    tags: Vec<String>,
}

fn main() {}
