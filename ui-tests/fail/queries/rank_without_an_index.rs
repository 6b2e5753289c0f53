use rillflow::{Document, Query, compiled_query};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Article {
    #[document(id)]
    id: i64,
    #[document(index)]
    title: String,
}

#[compiled_query]
fn best(title: &str) -> impl Query<Vec<Article>> {
    Article::query().filter(|a| a.title == title).order_by(|a| a.rank().desc())
}

fn main() {}
