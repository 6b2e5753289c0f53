use rillflow::{Document, Query, compiled_query};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

#[derive(Serialize, Deserialize, Document)]
#[document(gin)]
struct Thing {
    #[document(id)]
    id: i64,
    labels: HashMap<String, String>,
    counts: HashMap<String, i64>,
}

#[compiled_query]
fn q(key: &str) -> impl Query<Vec<Thing>> {
    Thing::query().filter(|t| t.counts.get(key) > 3)
}

fn main() {}
