use rillflow::projection;
use rillflow_ui_tests::events::*;
use sqlx::{Postgres, Transaction};

struct Sales;

#[projection(name = "sales", events = OrderEvent, ignore(Shipped))]
impl Sales {
    async fn on_placed(tx: &mut Transaction<'_, Postgres>, e: &Placed) -> sqlx::Result<()> {
        sqlx::query("SELECT $1").bind(e.total).execute(&mut **tx).await.map(drop)
    }

    fn on_cancelled(doc: &mut CustomerSales, _: &Cancelled) {
        doc.total = 0;
    }
}

fn main() {}
