use rillflow::{Aggregate, handlers};
use rillflow_ui_tests::events::{Cancelled, OrderEvent, Placed, Shipped};

#[derive(Default, Aggregate)]
#[aggregate(events = OrderEvent)]
struct Order;

#[handlers]
impl Order {
    fn on_placed(&self, _: &Placed) {}
    fn on_shipped(&mut self, _: Shipped) {}
    async fn on_cancelled(&mut self, _: &Cancelled) {}
    fn on_hold(&mut self) {}
    fn on_all(&mut self, _: &Placed) -> bool {
        true
    }
}

fn main() {}
