use rillflow::projection;
use rillflow_ui_tests::events::*;

struct Orders;

#[projection(name = "orders", events = OrderEvent, document = OrderSummary, key = stream, shards = 0,
    ignore(Shipped, Cancelled))]
impl Orders {
    fn on_placed(doc: &mut OrderSummary, e: &Placed) {
        doc.total += e.total;
    }
}

fn main() {}
