use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(email: &str) -> impl Query<Option<i64>> {
    Customer::query().filter(|c| c.email == email).sum(|c| c.handle)
}

fn main() {}
