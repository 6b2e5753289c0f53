use rillflow::{NumberedPage, Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(email: &str) -> impl Query<NumberedPage<Customer>> {
    Customer::query().filter(|c| c.email == email).numbered_page(1, 10)
}

fn main() {}
