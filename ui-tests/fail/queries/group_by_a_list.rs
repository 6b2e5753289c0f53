use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q() -> impl Query<Vec<(Vec<String>, i64)>> {
    Customer::query().filter(|c| c.email == "a").group_by(|c| c.tags).select(|c, g| (c.tags, g.count()))
}

fn main() {}
