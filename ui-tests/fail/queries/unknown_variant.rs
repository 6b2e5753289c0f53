use rillflow::{Query, compiled_query};
use rillflow_ui_tests::{Customer, Status};

#[compiled_query]
fn query(email: &str) -> impl Query<Vec<Customer>> {
    Customer::query()
        .filter(|c| c.email == email && c.status == Status::Actve)
}

fn main() {}
