use rillflow::DocumentValue;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DocumentValue)]
#[serde(tag = "type")]
enum Change {
    Variant { number: i64 },
    Other,
}

fn main() {}
