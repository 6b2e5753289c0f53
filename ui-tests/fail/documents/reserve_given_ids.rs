use rillflow::{Document, Store};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
struct Ticket {
    #[document(id)]
    id: i64,
}

async fn reserve(store: &Store) -> rillflow::Result<Vec<i64>> {
    store.docs().reserve_ids::<Ticket>(3).await
}

fn main() {
    let _ = reserve;
}
