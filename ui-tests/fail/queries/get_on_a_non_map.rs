use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q(key: &str) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.tags.get(key) == "a")
}

fn main() {}
