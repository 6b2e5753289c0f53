//! An order and the message about it commit together, and a relay hands the message on: `cargo run --example outbox`.
//!
//! The transport here prints. `rillflow::nats::JetStream` (feature `nats`) is one that other systems listen to.

use std::error::Error;
use std::time::Duration;

use rillflow::{BoxError, Event, Expected, OutboxMessage, SchemaConfig, Store, Transport, dev};
use serde_json::json;
use uuid::Uuid;

struct Printer;

impl Transport for Printer {
    async fn publish(&self, messages: &[OutboxMessage]) -> Vec<Result<(), BoxError>> {
        for it in messages {
            println!("handed on  {} to {}, key {}: {}", it.message_id, it.topic, it.key, it.payload);
        }
        messages.iter().map(|_| Ok(())).collect()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = dev::database_named("outbox").await?;
    let store = Store::connect(database.url()).await?;
    store.schema().sync(&SchemaConfig::single_tenant()).await?;
    let relay = store.subscriptions().relay_outbox("printer", Printer, Default::default()).await?;

    for item in ["a teapot", "a cup"] {
        let order = Uuid::now_v7();
        let mut session = store.session();
        session.append(order, Expected::NoStream, [Event::new("order-placed", &json!({ "item": item }))])?;
        session.publish("orders", order, &json!({ "order": order, "item": item }))?;
        session.commit().await?;
        println!("committed  an order of {item}, with its message");
    }
    while !store.outbox().read(0, 1).await?.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("outbox     empty");
    relay.shutdown().await?;
    Ok(())
}
