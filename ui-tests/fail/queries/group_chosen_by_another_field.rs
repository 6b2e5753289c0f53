use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q() -> impl Query<Vec<(Status, i64)>> {
    Customer::query()
        .filter(|c| c.email == "a")
        .group_by(|c| c.status)
        .having(|c, g| g.count() > 1 && c.score > 2)
        .select(|c, g| (c.status, g.count()))
}

fn main() {}
