use rillflow::DocumentValue;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DocumentValue)]
struct Pair(i64, i64);

fn main() {}
