use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query(allow(scan))]
fn query() -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.status.one_of([1, 2]))
}

fn main() {}
