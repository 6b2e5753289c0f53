use rillflow::{Aggregate, handlers};
use rillflow_ui_tests::events::{Cancelled, OrderEvent, Placed};

#[derive(Default, Aggregate)]
#[aggregate(events = OrderEvent)]
struct Order;

#[handlers]
impl Order {
    fn on_placed(&mut self, _: &Placed) {}
    fn on_cancelled(&mut self, _: &Cancelled) {}
}

fn main() {}
