use rillflow::{Document, projection};
use rillflow_ui_tests::events::*;

#[derive(Default, serde::Serialize, serde::Deserialize, Document)]
struct Numbered {
    #[document(id)]
    id: i64,
}

struct Sales;

#[projection(name = "sales", events = OrderEvent, document = Numbered, key = stream, ignore(Shipped))]
impl Sales {
    fn on_placed(doc: &mut Numbered, _: &Placed) {
        doc.id += 1;
    }

    fn on_cancelled(doc: &mut Numbered, _: &Cancelled) {
        doc.id += 1;
    }
}

fn main() {}
