use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query(allow(scam))]
fn query(vip: bool) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.vip == vip)
}

fn main() {}
