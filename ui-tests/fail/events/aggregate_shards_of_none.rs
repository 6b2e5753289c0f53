use rillflow::{Aggregate, handlers};
use rillflow_ui_tests::events::*;

#[derive(Default, Aggregate)]
#[aggregate(events = OrderEvent, shards = 0)]
struct Order {
    total: i64,
}

#[handlers(ignore(Shipped, Cancelled))]
impl Order {
    fn on_placed(&mut self, e: &Placed) {
        self.total += e.total;
    }
}

fn main() {}
