use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

struct Queries;

impl Queries {
    #[compiled_query]
    fn q(&self, id: CustomerId) -> impl Query<Vec<Order>> {
        Order::query().filter(|o| o.customer == id)
    }
}

fn main() {
    let _ = Queries.q(CustomerId(Default::default()));
}
