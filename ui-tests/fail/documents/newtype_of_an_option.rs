use rillflow::DocumentValue;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DocumentValue)]
struct Score(Option<f64>);

fn main() {}
