use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q() -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.email == "a").having(|c| c.vip)
}

fn main() {}
