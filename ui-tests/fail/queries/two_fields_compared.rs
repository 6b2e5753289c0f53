use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query() -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.email == c.handle)
}

fn main() {}
