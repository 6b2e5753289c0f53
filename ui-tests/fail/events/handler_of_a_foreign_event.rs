use rillflow::{Aggregate, handlers};
use rillflow_ui_tests::events::{Cancelled, Contacted, OrderEvent, Placed, Shipped};

#[derive(Default, Aggregate)]
#[aggregate(events = OrderEvent)]
struct Order;

#[handlers(ignore(Placed, Shipped, Cancelled))]
impl Order {
    fn on_contacted(&mut self, _: &Contacted) {}
}

fn main() {}
