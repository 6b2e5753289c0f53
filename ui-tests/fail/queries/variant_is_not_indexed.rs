use rillflow::{Document, DocumentValue, Query, compiled_query};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DocumentValue)]
#[serde(tag = "kind")]
enum Payment {
    Cash,
    Card { number: String },
}

#[derive(Serialize, Deserialize, Document)]
struct Order {
    #[document(id)]
    id: i64,
    payment: Payment,
}

#[compiled_query]
fn by_card() -> impl Query<Vec<Order>> {
    Order::query().filter(|o| o.payment.is_card())
}

fn main() {}
