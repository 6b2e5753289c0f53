use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query() -> impl Query<Vec<Customer>> {
    Customer::query()
        .limit(20)
}

fn main() {}
