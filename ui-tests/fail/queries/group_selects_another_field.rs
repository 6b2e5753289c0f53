use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q() -> impl Query<Vec<(Status, Option<f64>)>> {
    Customer::query().filter(|c| c.email == "a").group_by(|c| c.status).select(|c, g| (c.status, c.score))
}

fn main() {}
