use rillflow::projection;
use rillflow_ui_tests::events::*;
use uuid::Uuid;

struct Sales;

#[projection(name = "sales", version = 0, events = OrderEvent, document = CustomerSales, key = stream, ignore(Shipped, Cancelled))]
impl Sales {
    fn on_placed(doc: &mut CustomerSales, e: &Placed) {
        doc.total += e.total;
    }
}

type Id = Uuid;

fn main() {}
