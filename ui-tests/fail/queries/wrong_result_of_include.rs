use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q(id: CustomerId) -> impl Query<Vec<(Order, Customer)>> {
    Order::query().filter(|o| o.customer == id).include::<Customer>(|o| o.customer)
}

fn main() {}
