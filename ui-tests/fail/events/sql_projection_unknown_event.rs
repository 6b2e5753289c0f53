use rillflow::projection;
use rillflow_ui_tests::events::*;
use sqlx::{Postgres, Transaction};

struct Sales;

#[projection(name = "sales", events = OrderEvent, ignore(Shipped, Cancelled, Placed))]
impl Sales {
    async fn on_contacted(tx: &mut Transaction<'_, Postgres>, e: &Contacted) -> sqlx::Result<()> {
        sqlx::query("SELECT $1").bind(e.customer).execute(&mut **tx).await.map(drop)
    }
}

fn main() {}
