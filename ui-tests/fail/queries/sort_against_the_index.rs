use rillflow::{Query, compiled_query};
use rillflow_ui_tests::{Customer, Status};

#[compiled_query]
fn query(status: Status) -> impl Query<Vec<Customer>> {
    Customer::query()
        .filter(|c| c.status == status)
        .order_by(|c| (c.created_at.desc(), c.email.asc()))
}

fn main() {}
