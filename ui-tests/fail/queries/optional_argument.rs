use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(score: Option<f64>, email: &str) -> impl Query<Vec<Customer>> {
    Customer::query()
        .filter(|c| c.email == email && c.score == score)
}

fn main() {}
