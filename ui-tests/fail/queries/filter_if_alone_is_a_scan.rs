use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(email: Option<&str>) -> impl Query<Vec<Customer>> {
    Customer::query().filter_if(email, |c, email| c.email == email)
}

fn main() {}
