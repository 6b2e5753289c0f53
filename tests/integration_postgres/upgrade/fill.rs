//! What a kept layout is filled with, and how one is written: once for each release.

use rillflow::subscriptions::{SubscriptionFilter, SubscriptionOptions};
use rillflow::{
    DaemonConfig, DocMetadata, Document, Event, Expected, Lifecycle, Message, Store, StoreBuilder, projection,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::orders::{
    Cancelled, Customer, CustomerId, Order, OrderEvent, Placed, SalesProjection, Shipped, customer, placed,
};
use crate::support::{Db, TestResult};

/// A document that has everything beside it that a document can have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(
    collection = "kept_books",
    metadata,
    soft_delete,
    gin,
    fulltext(language = "english", title),
    trigram(title)
)]
pub(super) struct Book {
    #[document(id)]
    pub(super) id: i64,
    #[document(references = Customer)]
    pub(super) owner: Option<CustomerId>,
    #[document(column)]
    pub(super) pages: i64,
    pub(super) title: String,
}

pub(super) fn book(id: i64) -> Book {
    Book { id, owner: Some(customer(id).id), pages: id * 100, title: format!("Walks of {id} days") }
}

/// Fails on what is placed, so that what follows of the same order waits behind it.
struct Shipments;

#[projection(name = "shipments", events = OrderEvent, on_failure = park)]
impl Shipments {
    async fn on_placed(_: &mut sqlx::Transaction<'_, sqlx::Postgres>, _: &Placed) -> Result<(), rillflow::BoxError> {
        Err("nobody is there to take it".into())
    }

    async fn on_shipped(_: &mut sqlx::Transaction<'_, sqlx::Postgres>, _: &Shipped) -> sqlx::Result<()> {
        Ok(())
    }

    async fn on_cancelled(_: &mut sqlx::Transaction<'_, sqlx::Postgres>, _: &Cancelled) -> sqlx::Result<()> {
        Ok(())
    }
}

/// The store that filled a layout, and that opens it.
pub(super) fn configured(url: &str) -> StoreBuilder {
    let builder = Store::builder(url).document::<Customer>().document::<Book>();
    let builder = builder.projection::<SalesProjection>(Lifecycle::Async).sql_projection::<Shipments>();
    builder.snapshot_every::<Order>(2)
}

/// One attempt is enough for what never works.
pub(super) fn impatient() -> DaemonConfig {
    let mut config = DaemonConfig::default();
    config.max_attempts = 1;
    config
}

pub(super) fn order(n: u128) -> Uuid {
    Uuid::from_u128(100 + n)
}

/// What the first layout has too; it ends at position 15.
async fn the_first(store: &Store) -> TestResult {
    let kim = CustomerId(Uuid::from_u128(7));
    for n in 1..=5 {
        store.docs().put(&customer(n)).await?;
    }
    store.docs().put(&customer(2)).await?;
    for n in 1..=6 {
        store.events().append_stream(order(n), Expected::NoStream, [placed(kim, n as i64)]).await?;
        store.aggregate::<Order>(order(n)).decide(|order| order.ship("1Z-999")).await?;
    }
    let cancelled = vec![placed(kim, 1), OrderEvent::Cancelled(Cancelled { customer: kim, total: 1 })];
    store.aggregate::<Order>(order(7)).append(Expected::NoStream, cancelled).await?;
    let aliased = store.resolve_stream_alias("orders:42").await?;
    let event = Event::new("OrderPlaced", &json!({"n": 1}));
    store.events().builder(aliased).idempotency_key("req-1").push(event).send().await?;
    store.events().archive_stream(order(1)).await?;
    store.projections().run_until_idle("customer-sales").await?;
    store.projections().rebuild("customer-sales", |_| {}).await?;
    store.events().delete_stream(order(2)).await?;
    store.docs().schemaless().put(&Uuid::from_u128(1), &json!({"loose": true})).await?;
    Ok(())
}

/// What came with the layouts after it: dead letters, tags, messages, columns, subscriptions, epochs.
async fn what_came_later(store: &Store) -> TestResult {
    store.projections().with_config(impatient()).run_until_idle("shipments").await?;

    let about = Event::new("walked", &json!({"km": 12})).with_tag("book", &2).with_tag("by", "kim");
    let cause = Uuid::from_u128(0xca);
    let tagged = store.events().builder(order(8)).headers(json!({"who": "kim"})).causation_id(cause);
    let message = Message::new("walks", "kim", &json!({"km": 12})).with_id(Uuid::from_u128(0x3e));
    tagged.correlation_id(Uuid::from_u128(0xc0)).push(about).publish(message).send().await?;

    let by_kim = DocMetadata::default().last_modified_by("kim");
    for n in 1..=3 {
        store.docs().with_metadata(&by_kim).put(&book(n)).await?;
    }
    store.docs().delete::<Book>(&3).await?;
    subscribed(store).await?;
    store.events().begin_epoch().await?;
    Ok(())
}

/// A group that has done the first and the third event of a stream, was refused the second, and gave the fourth up.
async fn subscribed(store: &Store) -> TestResult {
    let ticks = (1..=6).map(|n| Event::new("tick", &n));
    let appended = store.events().append_stream(order(9), Expected::NoStream, ticks).await?.positions;
    let filter = SubscriptionFilter::default().types(["tick"]);
    let options = SubscriptionOptions { max_attempts: 1, ..SubscriptionOptions::default().group("mails").manual() };
    let (handle, mut rx) = store.subscriptions().subscribe("ticks", filter, options).await?;
    for _ in 0..4 {
        rx.recv().await.ok_or("a tick")?;
    }
    handle.ack(appended[0]).await?;
    handle.ack(appended[2]).await?;
    handle.dead_letter(appended[3], "nobody reads it").await?;
    Ok(handle.shutdown().await?)
}

/// The migrations in order: number and text.
pub(super) fn migrations() -> Result<Vec<(u32, String)>, Box<dyn std::error::Error>> {
    let mut migrations = Vec::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "sql") {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            migrations.push((name[..4].parse()?, std::fs::read_to_string(&path)?));
        }
    }
    migrations.sort();
    Ok(migrations)
}

crate::layouts::declared!(Book);

/// Writes `tests/fixtures/layout_NNNN.sql`, the layout after the migration whose number `RILLFLOW_LAYOUT` says: once,
/// when it is released. `pg_dump` must be there.
#[tokio::test]
#[ignore = "writes a file of this repository: RILLFLOW_LAYOUT=0013 cargo test .. a_layout_is_written -- --ignored"]
async fn a_layout_is_written() -> TestResult {
    let number = std::env::var("RILLFLOW_LAYOUT").map_err(|_| "RILLFLOW_LAYOUT says which")?;
    let db = Db::create().await?;
    let store = configured(db.url()).build().await?;
    for (version, text) in migrations()? {
        if version <= number.parse()? {
            sqlx::raw_sql(AssertSqlSafe(text)).execute(store.pool()).await?;
        }
    }
    sqlx::raw_sql(AssertSqlSafe(store.schema().texts_alone().patch())).execute(store.pool()).await?;
    the_first(&store).await?;
    what_came_later(&store).await?;

    let dump = std::process::Command::new("pg_dump").args(["--inserts", "--no-owner", db.url()]).output()?;
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let text = String::from_utf8(dump.stdout)?;
    // commands of psql, of no meaning to anybody else
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('\\')).collect();
    std::fs::write(format!("{}/fixtures/layout_{number}.sql", env!("CARGO_MANIFEST_DIR")), lines.join("\n") + "\n")?;
    Ok(())
}
