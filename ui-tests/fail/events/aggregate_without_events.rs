use rillflow::{Aggregate, handlers};
use rillflow_ui_tests::events::Placed;

#[derive(Default, Aggregate)]
struct Order;

#[handlers]
impl Order {
    fn on_placed(&mut self, _: &Placed) {}
}

fn main() {}
