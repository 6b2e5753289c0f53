//! Customers, their orders, and what each customer bought: `cargo run --example quickstart`.
//!
//! Uses `DATABASE_URL` when it is set; otherwise a development PostgreSQL that starts by itself and keeps its data, so a
//! second run goes on where the first one stopped.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rillflow::{
    Aggregate, Document, DocumentValue, Event, EventEnvelope, Expected, Lifecycle, Query, SchemaConfig, Store,
    compiled_query, dev, handlers, projection,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

// ---- documents: typed JSON, with the indexes that its queries need ----------------------------------------------------

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, DocumentValue)]
struct CustomerId(Uuid);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
#[serde(rename_all = "kebab-case")]
enum Tier {
    Free,
    Pro,
}

#[derive(Clone, Debug, Serialize, Deserialize, Document)]
#[document(collection = "customers", gin, index(tier, created_at desc))]
#[serde(rename_all = "camelCase")]
struct Customer {
    #[document(id)]
    id: CustomerId,
    #[document(unique)]
    email: String,
    tier: Tier,
    tags: Vec<String>,
    created_at: DateTime<Utc>,
}

// A query: rustc checks its types and that an index serves it, and writes its SQL into the binary.
#[compiled_query]
fn newest(tier: Tier, limit: i64) -> impl Query<Vec<Customer>> {
    Customer::query()
        .filter(|c| c.tier == tier && c.tags.contains("newsletter"))
        .order_by(|c| c.created_at.desc())
        .limit(limit)
}

// ---- events, and the aggregate that decides on them -------------------------------------------------------------------

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Placed {
    customer: CustomerId,
    item: String,
    cents: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Shipped {
    tracking: String,
}

#[derive(Clone, Debug, Event)]
enum OrderEvent {
    #[event(name = "order-placed")]
    Placed(Placed),
    #[event(name = "order-shipped")]
    Shipped(Shipped),
}

#[derive(Debug, Default, Aggregate)]
#[aggregate(events = OrderEvent, stream = "order")]
struct Order {
    item: String,
    cents: i64,
    tracking: Option<String>,
}

#[handlers]
impl Order {
    fn on_placed(&mut self, e: &Placed) {
        self.item = e.item.clone();
        self.cents = e.cents;
    }

    fn on_shipped(&mut self, e: &Shipped) {
        self.tracking = Some(e.tracking.clone());
    }

    /// A decision: looks at the state, answers with events.
    fn ship(&self, tracking: &str) -> Result<Vec<OrderEvent>, &'static str> {
        if self.item.is_empty() {
            return Err("there is nothing to ship");
        }
        if self.tracking.is_some() {
            return Err("it is on its way already");
        }
        Ok(vec![OrderEvent::Shipped(Shipped { tracking: tracking.to_owned() })])
    }
}

// ---- a projection: events of many streams folded into one document per customer ---------------------------------------

#[derive(Debug, Default, Serialize, Deserialize, Document)]
#[document(collection = "customer_sales")]
struct CustomerSales {
    #[document(id)]
    id: CustomerId,
    orders: i64,
    cents: i64,
    last_order: Option<DateTime<Utc>>,
}

struct SalesProjection;

#[projection(name = "customer-sales", version = 1, events = OrderEvent, document = CustomerSales, ignore(Shipped))]
impl SalesProjection {
    #[key]
    fn of_placed(e: &Placed) -> CustomerId {
        e.customer
    }

    fn on_placed(doc: &mut CustomerSales, e: &Placed, at: &EventEnvelope) {
        doc.orders += 1;
        doc.cents += e.cents;
        doc.last_order = Some(at.created_at);
    }
}

// ---- the story --------------------------------------------------------------------------------------------------------

#[tokio::main]
async fn main() -> ExitCode {
    match story().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn story() -> Result<(), Box<dyn Error>> {
    let database = dev::database_named("quickstart").await?;
    println!("Database     {database}");
    println!("Look inside  {}\n", database.psql());

    let store = Store::builder(database.url())
        .document::<Customer>()
        .projection::<SalesProjection>(Lifecycle::Async)
        .build()
        .await?;
    let changes = store.schema().sync(&SchemaConfig::single_tenant()).await?;
    println!("Schema       {}", if changes.steps.is_empty() { "up to date".into() } else { changes.steps.join(", ") });
    let daemon = store.start_daemon().await?;

    let kim = customer(&store, 1, "kim@example.com", Tier::Pro).await?;
    let bo = customer(&store, 2, "bo@example.com", Tier::Pro).await?;

    let order_id = Uuid::now_v7();
    let order = store.aggregate::<Order>(order_id);
    let placed = Placed { customer: kim.id, item: "a kettle".into(), cents: 4_900 };
    let appended = order.append(Expected::NoStream, vec![OrderEvent::Placed(placed)]).await?;
    println!("Events       order-placed  stream version {}, position {}", appended.version, appended.position());
    let shipped = order.decide(|order| order.ship("1Z-999")).await?;
    println!("             order-shipped stream version {}, position {}", shipped.version, shipped.position());
    println!("Aggregate    {:?}", order.load().await?.state);

    let late = order.append(Expected::Exact(1), vec![OrderEvent::Shipped(Shipped { tracking: "2Z".into() })]).await;
    match late {
        Err(rillflow::Error::VersionConflict { expected, actual, .. }) => {
            println!("Conflict     a second writer expected {expected}, found {actual}: nothing was appended");
        }
        other => return Err(format!("expected a conflict, got {other:?}").into()),
    }

    let mut last = shipped.position();
    for (customer, item, cents) in [(&kim, "a teapot", 2_500), (&bo, "a cup", 900)] {
        let placed = OrderEvent::Placed(Placed { customer: customer.id, item: item.into(), cents });
        last = store.aggregate::<Order>(Uuid::now_v7()).append(Expected::NoStream, vec![placed]).await?.position();
    }

    let query = newest(Tier::Pro, 10);
    println!("Query        {}", query.sql());
    for customer in store.query(query).await? {
        println!("             -> {} ({:?})", customer.email, customer.tier);
    }

    // a run that was killed keeps the projection for the 15 seconds of its lease
    store.wait_for("customer-sales", last, Duration::from_secs(30)).await?;
    println!("Read model   customer-sales, caught up to position {last}");
    for customer in [&kim, &bo] {
        let Some((sales, version)) = store.docs().get::<CustomerSales>(&customer.id).await? else { continue };
        let euros = sales.cents as f64 / 100.0;
        println!("             {:16} {} orders, {euros:.2} (document version {version})", customer.email, sales.orders);
    }
    daemon.shutdown().await;
    println!("\nRun it again: it goes on with what is there.");
    Ok(())
}

/// Stores a customer, or finds the one that an earlier run stored.
async fn customer(store: &Store, number: u128, email: &str, tier: Tier) -> rillflow::Result<Customer> {
    let id = CustomerId(Uuid::from_u128(number));
    if let Some((customer, version)) = store.docs().get::<Customer>(&id).await? {
        let version = store.docs().update::<Customer>(&id, version, |c| c.tier = tier).await?;
        println!("Document     {email} is there, now at version {version}");
        return Ok(customer);
    }
    let customer =
        Customer { id, email: email.to_owned(), tier, tags: vec!["newsletter".to_owned()], created_at: Utc::now() };
    let version = store.docs().insert(&customer).await?;
    println!("Document     {email} stored at version {version}");
    Ok(customer)
}
