use rillflow::projection;
use rillflow_ui_tests::events::*;
use sqlx::{Postgres, Transaction};

struct Sales;

#[projection(name = "sales", events = OrderEvent, ignore(Shipped, Cancelled))]
impl Sales {
    #[lookup]
    fn of_placed(e: &Placed) -> uuid::Uuid {
        e.customer
    }

    async fn on_placed(tx: &mut Transaction<'_, Postgres>, e: &Placed) -> sqlx::Result<()> {
        sqlx::query("SELECT $1").bind(e.total).execute(&mut **tx).await.map(drop)
    }
}

fn main() {}
