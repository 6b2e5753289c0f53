use rillflow::projection;
use rillflow_ui_tests::events::*;
use uuid::Uuid;

struct Orders;

#[projection(name = "orders", events = OrderEvent, document = OrderSummary, key = stream, ignore(Shipped, Cancelled))]
impl Orders {
    #[lookup]
    async fn customer_of_placed(e: &Placed) -> Uuid {
        e.customer
    }

    fn on_placed(doc: &mut OrderSummary, e: &Placed, customer: Option<&CustomerSales>) {
        doc.total += e.total;
        let _ = customer;
    }
}

fn main() {}
