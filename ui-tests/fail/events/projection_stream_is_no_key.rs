use rillflow::__private::{Collection, SqlType};
use rillflow::{Document, projection};
use rillflow_ui_tests::events::*;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Numbered {
    id: i64,
}

impl Document for Numbered {
    type Id = i64;
    type Paths = NoPaths;
    const COLLECTION: &'static Collection = &Collection {
        type_name: "Numbered",
        name: "numbered",
        table: "public.docs_numbered",
        id_type: SqlType::Int,
        create_table: "",
        indexes: &[],
        soft_delete: false,
    };
    fn id(&self) -> &i64 {
        &self.id
    }
    fn set_id(&mut self, id: i64) {
        self.id = id;
    }
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
