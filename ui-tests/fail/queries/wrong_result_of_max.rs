use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(email: &str) -> impl Query<f64> {
    Customer::query().filter(|c| c.email == email).max(|c| c.score)
}

fn main() {}
