use rillflow::{Page, Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(after: i64) -> impl Query<Page<Customer>> {
    Customer::query().page(after, 10)
}

fn main() {}
