use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(email: &str) -> impl Query<Vec<(String, i64)>> {
    Customer::query()
        .filter(|c| c.email == email)
        .select(|c| (c.email, c.score))
}

fn main() {}
