use rillflow::projection;
use rillflow_ui_tests::events::*;
use sqlx::{Postgres, Transaction};

struct Sales;

#[projection(name = "sales", events = OrderEvent, ignore(Shipped, Cancelled))]
impl Sales {
    async fn on_placed(_: &Placed, _: &mut Transaction<'_, Postgres>) -> sqlx::Result<()> {
        Ok(())
    }
}

fn main() {}
