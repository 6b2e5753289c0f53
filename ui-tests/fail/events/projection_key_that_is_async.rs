use rillflow::projection;
use rillflow_ui_tests::events::*;
use uuid::Uuid;

struct Sales;

#[projection(name = "sales", events = OrderEvent, document = CustomerSales, ignore(Shipped, Cancelled))]
impl Sales {
    #[key]
    async fn of_placed(e: &Placed) -> Uuid {
        e.customer
    }

    fn on_placed(doc: &mut CustomerSales, e: &Placed) {
        doc.total += e.total;
    }
}

fn main() {}
