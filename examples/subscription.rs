//! Orders as they come, and what each of them causes: `cargo run --example subscription`.
//!
//! The first run makes a subscription; a second one goes on after what the first one acknowledged. What an event causes is
//! written in the transaction that acknowledges it, so it happens once.

use std::error::Error;
use std::time::Duration;

use rillflow::subscriptions::SubscriptionOptions;
use rillflow::{Event, Expected, SchemaConfig, Store, dev};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Placed {
    item: String,
    cents: i64,
}

#[derive(Clone, Debug, Event)]
enum OrderEvent {
    #[event(name = "order-placed")]
    Placed(Placed),
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = dev::database_named("subscription").await?;
    let store = Store::connect(database.url()).await?;
    store.schema().sync(&SchemaConfig::single_tenant()).await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS invoices (position bigint PRIMARY KEY, cents bigint NOT NULL)")
        .execute(store.pool())
        .await?;

    for (item, cents) in [("a teapot", 2_500), ("a cup", 900)] {
        let placed = OrderEvent::Placed(Placed { item: item.into(), cents });
        store.events().append_stream(Uuid::now_v7(), Expected::NoStream, [placed]).await?;
    }

    let options = SubscriptionOptions::default().manual();
    let (handle, mut orders) = store.subscriptions().subscribe_to::<OrderEvent>("invoices", options).await?;
    println!("invoices   goes on after position {}", handle.checkpoint().await?);
    // a real program waits for ever; this one stops when nothing comes for a while
    while let Ok(Some(received)) = tokio::time::timeout(Duration::from_secs(1), orders.recv()).await {
        let (OrderEvent::Placed(placed), at) = received?;
        let mut tx = store.begin().await?;
        sqlx::query("INSERT INTO invoices VALUES ($1, $2)")
            .bind(at.global_seq)
            .bind(placed.cents)
            .execute(&mut *tx)
            .await?;
        handle.ack_in_tx(&mut tx, at.global_seq).await?;
        tx.commit().await?;
        println!("invoice    {} for {:.2}, event {}", placed.item, placed.cents as f64 / 100.0, at.global_seq);
    }
    println!("invoices   done up to position {}", handle.checkpoint().await?);
    handle.shutdown().await?;
    Ok(())
}
