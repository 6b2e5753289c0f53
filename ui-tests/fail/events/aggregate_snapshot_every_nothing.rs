use rillflow::{Aggregate, handlers};
use rillflow_ui_tests::events::{OrderEvent, Placed};

#[derive(Default, serde::Serialize, serde::Deserialize, Aggregate)]
#[aggregate(events = OrderEvent, snapshot_every = 0, snapshot_version = 0)]
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
