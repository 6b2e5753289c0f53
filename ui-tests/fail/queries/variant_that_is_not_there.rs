use rillflow::{Document, DocumentValue, Query, compiled_query};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DocumentValue)]
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

#[compiled_query(allow(scan))]
fn by_cheque() -> impl Query<Vec<Order>> {
    Order::query().filter(|o| o.payment.is_cheque())
}

fn main() {}
