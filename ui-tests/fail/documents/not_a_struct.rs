use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
enum Note {
    A,
}

fn main() {}
