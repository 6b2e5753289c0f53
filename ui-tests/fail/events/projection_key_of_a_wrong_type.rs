use rillflow::projection;
use rillflow_ui_tests::events::*;

struct Sales;

#[projection(name = "sales", events = OrderEvent, document = CustomerSales, ignore(Shipped, Cancelled))]
impl Sales {
    #[key]
    fn of_placed(e: &Placed) -> i64 {
        e.total
    }

    fn on_placed(doc: &mut CustomerSales, e: &Placed) {
        doc.total += e.total;
    }
}

fn main() {}
