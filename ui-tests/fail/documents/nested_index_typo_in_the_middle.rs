use rillflow::{Document, DocumentFields};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Country {
    #[document(id)]
    code: String,
}

#[derive(Serialize, Deserialize, DocumentFields)]
struct Home {
    city: String,
    country: String,
    floor: i64,
    rooms: Vec<String>,
}

#[derive(Serialize, Deserialize, Document)]
#[document(index(hoome.city))]
struct Member {
    #[document(id)]
    id: i64,
    home: Home,
    home_city: String,
    work: Option<Home>,
}

fn main() {}
