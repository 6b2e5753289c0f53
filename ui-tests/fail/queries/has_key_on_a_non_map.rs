use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(key: &str) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.email == "a" && c.tags.has_key(key))
}

fn main() {}
