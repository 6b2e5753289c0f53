use rillflow::DocumentFields;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DocumentFields)]
struct Line {
    #[document(id)]
    id: i64,
}

fn main() {}
