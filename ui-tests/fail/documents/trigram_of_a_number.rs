use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
#[document(trigram(stars))]
struct Note {
    #[document(id)]
    id: i64,
    title: String,
    stars: i32,
}

fn main() {}
