use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q() -> impl Query<Vec<(bool, i64)>> {
    Customer::query().group_by(|c| c.vip).select(|c, g| (c.vip, g.count()))
}

fn main() {}
