//! Every test ends with what was seen compared with the log: nothing missing, and each stream in its order.

/// Who is told when what is done.
mod acks;
/// Events that end whoever handles them.
mod crashes;
/// Which events arrive, and from where on.
mod delivery;
/// Histories that end, and those that begin.
mod epochs;
/// Connections cut, processes killed and frozen, networks that stall.
mod faults;
/// Members that share a subscription.
mod groups;
#[cfg(feature = "nats")]
mod nats;
/// What is seen of a subscription by those who watch.
mod observed;
/// From the outbox, and from events, to another system.
mod relay;
/// Many stores, one connection that listens.
mod tenants;
/// Owners that stand still within their transaction, and come back.
mod zombie;

use std::collections::HashMap;
use std::time::Duration;

use rillflow::subscriptions::{SubscriptionFilter, SubscriptionHandle, SubscriptionOptions, SubscriptionReceiver};
use rillflow::{EventEnvelope, Expected, Store};
use uuid::Uuid;

use crate::support::{SOON, tick, until};

/// Appends ticks to a stream, one append each, and returns their positions.
async fn ticks(store: &Store, stream: Uuid, numbers: std::ops::Range<i64>) -> rillflow::Result<Vec<i64>> {
    let mut positions = Vec::new();
    for number in numbers {
        let appended = store.events().append_stream(stream, Expected::Any, [tick(number)]).await?;
        positions.push(appended.position());
    }
    Ok(positions)
}

/// The next `count` events.
async fn take(rx: &mut SubscriptionReceiver, count: usize) -> Vec<EventEnvelope> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let next = tokio::time::timeout(SOON, rx.recv()).await;
        let Ok(next) = next else { panic!("no more than {:?} in time, of {count}", positions(&taken)) };
        taken.push(next.expect("the subscription goes on"));
    }
    taken
}

fn positions(events: &[EventEnvelope]) -> Vec<i64> {
    events.iter().map(|it| it.global_seq).collect()
}

/// Nothing more comes, though whatever is to come has had every chance.
async fn nothing_more(rx: &mut SubscriptionReceiver) {
    let next = tokio::time::timeout(Duration::from_millis(300), rx.recv()).await;
    assert!(next.is_err(), "another event: {next:?}");
}

async fn subscribe(
    store: &Store,
    name: &str,
    options: SubscriptionOptions,
) -> rillflow::Result<(SubscriptionHandle, SubscriptionReceiver)> {
    store.subscriptions().subscribe(name, SubscriptionFilter::default(), options).await
}

/// A short lease, so that a take-over is soon.
fn short(options: SubscriptionOptions) -> SubscriptionOptions {
    SubscriptionOptions { lease_ttl: Duration::from_millis(900), ..options }
}

fn manual() -> SubscriptionOptions {
    SubscriptionOptions::default().manual()
}

/// Within each stream, versions only grow.
fn assert_stream_order<'e>(events: impl IntoIterator<Item = &'e (Uuid, i64)>) {
    let mut last: HashMap<Uuid, i64> = HashMap::new();
    for (stream, version) in events {
        let before = last.insert(*stream, *version).unwrap_or(0);
        assert!(before < *version, "{stream}: {version} after {before}");
    }
}
