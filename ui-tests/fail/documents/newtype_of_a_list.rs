use rillflow::DocumentValue;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DocumentValue)]
struct Tags(Vec<String>);

fn main() {}
