use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q() -> impl Query<Vec<String>> {
    Customer::query()
        .filter(|c| c.email == "a")
        .order_by(|c| c.created_at.asc())
        .select(|c| c.address.city)
        .distinct()
}

fn main() {}
