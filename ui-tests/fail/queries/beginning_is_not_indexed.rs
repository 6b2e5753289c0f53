use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(word: &str) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.email.starts_with(word))
}

fn main() {}
