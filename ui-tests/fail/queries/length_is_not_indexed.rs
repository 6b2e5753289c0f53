use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(least: i64) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.tags.len() > least)
}

fn main() {}
