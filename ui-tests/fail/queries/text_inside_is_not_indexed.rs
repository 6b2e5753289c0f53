use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(word: &str) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.email.contains_text(word))
}

fn main() {}
