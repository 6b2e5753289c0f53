use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(wanted: i64) -> impl Query<Vec<Customer>> {
    Customer::query()
        .filter(|c| c.status == wanted && c.email == "a")
}

fn main() {}
