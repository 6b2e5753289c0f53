use rillflow::{Query, compiled_query};
use rillflow_ui_tests::*;

#[compiled_query]
fn q<const N: usize>(id: CustomerId) -> impl Query<Vec<Order>> {
    Order::query().filter(|o| o.customer == id)
}

fn main() {
    let _ = q::<3>(CustomerId(Default::default()));
}
