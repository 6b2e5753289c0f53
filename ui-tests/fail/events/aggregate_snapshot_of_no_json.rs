use rillflow::{Aggregate, handlers};
use rillflow_ui_tests::events::{OrderEvent, Placed};

#[derive(Default, Aggregate)]
#[aggregate(events = OrderEvent, snapshot_every = 100)]
struct Order {
    total: i64,
}

#[handlers(ignore(rillflow_ui_tests::events::Shipped, rillflow_ui_tests::events::Cancelled))]
impl Order {
    fn on_placed(&mut self, e: &Placed) {
        self.total += e.total;
    }
}

fn main() {}
