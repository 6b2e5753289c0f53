use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q() -> impl Query<Vec<(Status, i64)>> {
    Customer::query()
        .filter(|c| c.email == "a")
        .group_by(|c| c.status)
        .order_by(|c, g| (g.count().desc(), c.address.city.asc()))
        .select(|c, g| (c.status, g.count()))
}

fn main() {}
