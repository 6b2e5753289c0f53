use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q(id: CustomerId) -> impl Query<Vec<(Customer, Vec<Order>)>> {
    Customer::query().filter(|c| c.id == id).include_many::<Order>(|o| o.total)
}

fn main() {}
