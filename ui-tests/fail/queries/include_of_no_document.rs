use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q(id: CustomerId) -> impl Query<Vec<(Order, Option<Contact>)>> {
    Order::query().filter(|o| o.customer == id).include::<Contact>(|o| o.customer)
}

fn main() {}
