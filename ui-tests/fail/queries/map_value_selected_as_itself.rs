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
fn q(key: &str) -> impl Query<Vec<i64>> {
    Thing::query().filter(|t| t.labels.get(key) == "red").select(|t| t.counts.get("n"))
}

fn main() {}
