use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Note {
    #[document(id)]
    id: f64,
}

fn main() {}
