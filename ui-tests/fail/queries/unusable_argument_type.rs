use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(wanted: u64) -> impl Query<Vec<Customer>> {
    Customer::query()
        .filter(|c| c.email == "a" && c.score > wanted)
}

fn main() {}
