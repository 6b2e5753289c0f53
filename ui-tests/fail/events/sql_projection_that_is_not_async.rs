use rillflow::projection;
use rillflow_ui_tests::events::*;
use sqlx::{Postgres, Transaction};

struct Sales;

#[projection(name = "sales", events = OrderEvent, ignore(Shipped, Cancelled))]
impl Sales {
    fn on_placed(_: &mut Transaction<'_, Postgres>, _: &Placed) -> sqlx::Result<()> {
        Ok(())
    }
}

fn main() {}
