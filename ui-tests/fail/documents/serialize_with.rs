use rillflow::Document;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Note {
    #[document(id)]
    id: i64,
    #[serde(serialize_with = "loud")]
    text: String,
}

fn loud<S: serde::Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&text.to_uppercase())
}

fn main() {}
