use rillflow::{Document, Query, compiled_query};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Article {
    #[document(id)]
    id: i64,
    title: String,
}

#[compiled_query]
fn about(words: &str) -> impl Query<Vec<Article>> {
    Article::query().filter(|a| a.search(words))
}

fn main() {}
