use rillflow::{Query, compiled_query};
use rillflow_ui_tests::{Customer, Status};

#[derive(Clone, Copy, serde::Serialize, serde::Deserialize, rillflow::DocumentValue)]
enum Shelf {
    Top,
}

#[compiled_query(allow(scan))]
fn query() -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.status.one_of([Status::Active, Shelf::Top]))
}

fn main() {}
