use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

struct Queries;

impl Queries {
    const LEAST: i64 = 3;

    #[compiled_query]
    fn q(id: CustomerId) -> impl Query<Vec<Order>> {
        Order::query().filter(|o| o.customer == id && o.total > Self::LEAST)
    }
}

fn main() {
    let _ = Queries::q(CustomerId(Default::default()));
}
