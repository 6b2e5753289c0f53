use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
const fn query(email: &str) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.email == email)
}

fn main() {}
