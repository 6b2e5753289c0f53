use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query<T: AsRef<str>>(email: String, _also: T) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.email == email)
}

fn main() {}
