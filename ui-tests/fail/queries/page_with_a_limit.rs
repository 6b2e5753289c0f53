use rillflow::{Cursor, Page, Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(after: Option<Cursor>) -> impl Query<Page<Customer>> {
    Customer::query().limit(3).page(after, 10)
}

fn main() {}
