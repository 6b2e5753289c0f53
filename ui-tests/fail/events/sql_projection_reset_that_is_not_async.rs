use rillflow::projection;
use rillflow_ui_tests::events::*;
use sqlx::{Postgres, Transaction};

struct Sales;

#[projection(name = "sales", events = OrderEvent, ignore(Shipped, Cancelled))]
impl Sales {
    async fn on_placed(tx: &mut Transaction<'_, Postgres>, e: &Placed) -> sqlx::Result<()> {
        sqlx::query("SELECT $1").bind(e.total).execute(&mut **tx).await.map(drop)
    }

    #[reset]
    fn empty(tx: &mut Transaction<'_, Postgres>) {
        let _ = tx;
    }
}

fn main() {}
