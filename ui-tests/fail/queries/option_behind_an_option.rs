use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q(id: CustomerId) -> impl Query<Vec<CustomerId>> {
    Order::query().filter(|o| o.customer == id).select(|o| o.payer)
}

fn main() {}
