use rillflow::projection;
use rillflow_ui_tests::events::*;
use uuid::Uuid;

struct Orders;

#[projection(name = "orders", events = OrderEvent, document = OrderSummary, key = stream, ignore(Shipped, Cancelled))]
impl Orders {
    #[lookup]
    fn buyer(e: &Placed) -> Uuid {
        e.customer
    }

    #[lookup(seller)]
    fn seller(e: &Placed) -> Uuid {
        e.customer
    }

    fn on_placed(
        doc: &mut OrderSummary,
        e: &Placed,
        buyer: Option<&CustomerSales>,
        seller: Option<&CustomerSales>,
    ) {
        doc.total += e.total;
        let _ = (buyer, seller);
    }
}

fn main() {}
