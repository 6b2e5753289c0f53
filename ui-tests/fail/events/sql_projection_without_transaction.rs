use rillflow::projection;
use rillflow_ui_tests::events::*;
use sqlx::{Postgres, Transaction};

struct Sales;

#[projection(name = "sales", events = OrderEvent, ignore(Shipped, Cancelled))]
impl Sales {
    async fn on_placed(e: &Placed, at: &rillflow::EventEnvelope) -> sqlx::Result<()> {
        let _ = (e, at);
        Ok(())
    }
}

type Tx = Transaction<'static, Postgres>;

fn main() {}
