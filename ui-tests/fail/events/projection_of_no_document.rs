use rillflow::projection;
use rillflow_ui_tests::events::*;
use uuid::Uuid;

struct Sales;

#[projection(name = "sales", events = OrderEvent, document = Contacted, ignore(Shipped))]
impl Sales {
    #[key]
    fn of_placed(e: &Placed) -> Uuid {
        e.customer
    }

    #[key]
    fn of_cancelled(e: &Cancelled) -> Uuid {
        e.customer
    }

    fn on_placed(doc: &mut Contacted, e: &Placed) {
        doc.customer = e.customer;
    }

    fn on_cancelled(doc: &mut Contacted, e: &Cancelled) {
        doc.customer = e.customer;
    }
}

fn main() {}
