use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
#[document(fulltext(language = "english", pages))]
struct Article {
    #[document(id)]
    id: i64,
    pages: i64,
}

fn main() {}
