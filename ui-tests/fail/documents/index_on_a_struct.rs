use rillflow::{Document, DocumentFields};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DocumentFields)]
struct Place {
    city: String,
}

#[derive(Serialize, Deserialize, Document)]
#[document(index(place))]
struct Note {
    #[document(id)]
    id: i64,
    place: Place,
}

fn main() {}
