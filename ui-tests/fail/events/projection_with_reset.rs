use rillflow::projection;
use rillflow_ui_tests::events::*;

struct Sales;

#[projection(name = "sales", events = OrderEvent, document = CustomerSales, key = stream, ignore(Shipped, Cancelled))]
impl Sales {
    fn on_placed(doc: &mut CustomerSales, e: &Placed) {
        doc.total += e.total;
    }

    #[reset]
    fn empty() {}
}

fn main() {}
