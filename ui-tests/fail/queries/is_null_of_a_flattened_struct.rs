use rillflow::{Document, DocumentFields, Query, compiled_query};
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
#[document(collection = "members")]
struct Member {
    #[document(id)]
    id: i64,
    home: Home,
    home_city: String,
    #[serde(flatten)]
    work: Option<Home>,
}

#[compiled_query(allow(scan))]
fn without_work() -> impl Query<Vec<Member>> {
    Member::query().filter(|m| m.work.is_null())
}

fn main() {}
