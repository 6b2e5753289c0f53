use rillflow::projection;
use rillflow_ui_tests::events::*;

struct Sales;

#[projection(name = "sales", events = OrderEvent, document = CustomerSales, key = stream, ignore(Placed, Shipped, Cancelled))]
impl Sales {
    fn on_contacted(doc: &mut CustomerSales, _: &Contacted) {
        doc.total += 1;
    }
}

fn main() {}
