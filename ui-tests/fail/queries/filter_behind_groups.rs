use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q() -> impl Query<Vec<(Status, i64)>> {
    Customer::query().group_by(|c| c.status).filter(|c| c.email == "a").select(|c, g| (c.status, g.count()))
}

fn main() {}
