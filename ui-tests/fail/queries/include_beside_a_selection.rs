use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q(id: CustomerId) -> impl Query<Vec<(Order, Option<Customer>)>> {
    Order::query().filter(|o| o.customer == id).include::<Customer>(|o| o.customer).select(|o| o.total)
}

fn main() {}
