use std::collections::HashMap;

use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Note {
    #[document(id)]
    id: i64,
    #[serde(flatten)]
    rest: HashMap<String, i64>,
}

fn main() {}
