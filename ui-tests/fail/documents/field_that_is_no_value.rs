use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Size {
    width: u32,
}

#[derive(Serialize, Deserialize, Document)]
struct Note {
    #[document(id)]
    id: i64,
    size: Size,
}

fn main() {}
