use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
#[document(fulltext(title))]
struct Article {
    #[document(id)]
    id: i64,
    title: String,
}

fn main() {}
