use rillflow::projection;
use rillflow_ui_tests::events::*;

struct Orders;

#[projection(name = "orders", events = OrderEvent, document = OrderSummary, key = stream, ignore(Shipped, Cancelled))]
impl Orders {
    fn on_placed(doc: &mut OrderSummary, e: &Placed, _at: &str) {
        doc.total += e.total;
    }
}

fn main() {}
