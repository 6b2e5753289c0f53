use rillflow::{Aggregate, handlers};
use rillflow_ui_tests::events::{Cancelled, OrderEvent, Placed, Shipped};

#[derive(Default, Aggregate)]
#[aggregate(events = OrderEvent)]
struct Order;

#[handlers(ignore(Placed, Shipped, Cancelled))]
impl Order {
    fn on_placed(&mut self, _: &Placed) {}
}

fn main() {}
