use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q() -> impl Query<Vec<(Status, i64)>> {
    Customer::query()
        .filter(|c| c.email == "a")
        .order_by(|c| c.email.asc())
        .group_by(|c| c.status)
        .select(|c, g| (c.status, g.count()))
}

fn main() {}
