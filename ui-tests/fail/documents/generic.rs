use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Note<T> {
    #[document(id)]
    id: i64,
    text: T,
}

fn main() {}
