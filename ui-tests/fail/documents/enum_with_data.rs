use rillflow::DocumentValue;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DocumentValue)]
enum State {
    Open,
    Closed { by: String },
}

fn main() {}
