use rillflow::{Aggregate, handlers};
use rillflow_ui_tests::events::{OrderEvent, Placed};

#[derive(Default, Aggregate)]
#[aggregate(events = OrderEvent, validate = Order::check)]
struct Order {
    total: i64,
}

#[handlers(ignore(rillflow_ui_tests::events::Shipped, rillflow_ui_tests::events::Cancelled))]
impl Order {
    fn check(&self) -> bool {
        self.total > 0
    }

    fn on_placed(&mut self, e: &Placed) {
        self.total += e.total;
    }
}

fn main() {}
