//! Three members share the orders of a shop, and one of them goes home: `cargo run --example consumer_group`.
//!
//! Each stream belongs to one member at a time, so its events keep their order; what the one who leaves had is taken over.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use rillflow::subscriptions::{SubscriptionFilter, SubscriptionHandle, SubscriptionOptions, SubscriptionReceiver};
use rillflow::{Event, Expected, SchemaConfig, Store, dev};
use tokio::task::JoinHandle;
use uuid::Uuid;

const ORDERS: usize = 12;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = dev::database_named("consumer_group").await?;
    let store = Store::connect(database.url()).await?;
    store.schema().sync(&SchemaConfig::single_tenant()).await?;
    let orders: Vec<_> = (0..ORDERS).map(|_| Uuid::now_v7()).collect();

    let mut members = Vec::new();
    for name in ["ann", "bob", "cat"] {
        let options = SubscriptionOptions::default().group("packers").manual();
        let filter = SubscriptionFilter::default().types(["packed", "sent"]);
        let (handle, rx) = store.subscriptions().subscribe("shop", filter, options).await?;
        let handle = Arc::new(handle);
        members.push((handle.clone(), work(name, handle, rx)));
    }
    append(&store, &orders, "packed").await?;
    until_done(&store).await?;
    let (bob, bobs_work) = members.remove(1);
    bob.shutdown().await?;
    println!("bob goes home after {} events", bobs_work.await?);
    append(&store, &orders, "sent").await?;
    until_done(&store).await?;

    for group in store.subscriptions().groups("shop").await? {
        println!("group {:?}: {} members, lag {}", group.group.unwrap_or_default(), group.members.len(), group.lag);
    }
    for (handle, work) in members {
        handle.shutdown().await?;
        println!("another did {} events", work.await?);
    }
    Ok(())
}

async fn append(store: &Store, orders: &[Uuid], what: &'static str) -> rillflow::Result<()> {
    for order in orders {
        store.events().append_stream(*order, Expected::Any, [Event::new(what, &order)]).await?;
    }
    Ok(())
}

/// A member: takes events of its streams, one after another, and says that each is done.
fn work(name: &'static str, handle: Arc<SubscriptionHandle>, mut rx: SubscriptionReceiver) -> JoinHandle<usize> {
    tokio::spawn(async move {
        let mut done = 0;
        while let Some(event) = rx.recv().await {
            match handle.ack(event.global_seq).await {
                Ok(()) => done += 1,
                Err(error) => println!("{name}: {error}"), // whoever has it now does it
            }
        }
        done
    })
}

/// Waits until the group has nothing left to do.
async fn until_done(store: &Store) -> rillflow::Result<()> {
    while store.subscriptions().group_status("shop", "packers").await?.is_none_or(|it| it.lag > 0) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
