use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;
use uuid::Uuid;

#[compiled_query]
fn query(id: Uuid) -> impl Query<Option<Customer>> {
    Customer::query()
        .filter(|c| c.id == id)
        .one()
}

fn main() {}
