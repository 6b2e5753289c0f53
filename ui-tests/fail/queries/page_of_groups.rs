use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q(after: Option<rillflow::Cursor>) -> impl Query<rillflow::Page<(Status, i64)>> {
    Customer::query()
        .filter(|c| c.email == "a")
        .group_by(|c| c.status)
        .order_by(|_, g| g.count().asc())
        .select(|c, g| (c.status, g.count()))
        .page(after, 3)
}

fn main() {}
