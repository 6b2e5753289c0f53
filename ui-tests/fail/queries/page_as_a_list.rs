use rillflow::{Cursor, Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(after: Option<Cursor>) -> impl Query<Vec<Customer>> {
    Customer::query().page(after, 10)
}

fn main() {}
