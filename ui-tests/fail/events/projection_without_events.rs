use rillflow::projection;
use rillflow_ui_tests::events::*;

struct Sales;

#[projection(name = "sales", document = CustomerSales, key = stream)]
impl Sales {
    fn on_placed(doc: &mut CustomerSales, e: &Placed) {
        doc.total += e.total;
    }
}

fn main() {}
