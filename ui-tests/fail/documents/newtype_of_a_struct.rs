use rillflow::DocumentValue;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Size {
    width: u32,
}

#[derive(Serialize, Deserialize, DocumentValue)]
struct Wrapped(Size);

fn main() {}
