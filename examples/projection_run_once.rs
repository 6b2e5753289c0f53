//! A projection that writes SQL of its own, run by hand: `cargo run --example projection_run_once`.
//!
//! Uses `DATABASE_URL` when it is set; otherwise a development PostgreSQL that starts by itself.

use std::error::Error;

use rillflow::projection_runtime::{ProjectionDaemon, ProjectionWorkerConfig};
use rillflow::projections::{OnFailure, ProjectionHandler};
use rillflow::{BoxError, Event, EventEnvelope, Expected, RawJson, SchemaConfig, Store, dev, projection};
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

#[derive(Debug, Serialize, Deserialize)]
struct Deposited {
    cents: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Withdrawn {
    cents: i64,
}

#[derive(Debug, Event)]
enum AccountEvent {
    Deposited(Deposited),
    Withdrawn(Withdrawn),
}

/// A row per account. What the handlers write commits with the checkpoint: each event takes effect once.
struct Balances;

#[projection(name = "balances", events = AccountEvent, on_failure = park)]
impl Balances {
    async fn on_deposited(tx: &mut Transaction<'_, Postgres>, e: &Deposited, at: &EventEnvelope) -> sqlx::Result<()> {
        Self::add(tx, at, e.cents).await
    }

    async fn on_withdrawn(tx: &mut Transaction<'_, Postgres>, e: &Withdrawn, at: &EventEnvelope) -> sqlx::Result<()> {
        Self::add(tx, at, -e.cents).await
    }

    async fn add(tx: &mut Transaction<'_, Postgres>, at: &EventEnvelope, cents: i64) -> sqlx::Result<()> {
        let open = "INSERT INTO balances (account, cents) VALUES ($1, 0) ON CONFLICT DO NOTHING";
        sqlx::query(open).bind(at.stream_id.0).execute(&mut **tx).await?;
        // the table refuses a balance below zero: that event, and what follows it on its account, is set aside
        let change = "UPDATE balances SET cents = cents + $2 WHERE account = $1";
        sqlx::query(change).bind(at.stream_id.0).bind(cents).execute(&mut **tx).await?;
        Ok(())
    }
}

/// The same events by their stored names, as other programs may have written them.
struct Journal;

impl ProjectionHandler for Journal {
    async fn apply(
        &self,
        event_type: &str,
        body: &RawJson,
        at: &EventEnvelope,
        tx: &mut Transaction<'_, Postgres>,
    ) -> Result<(), BoxError> {
        let insert = sqlx::query("INSERT INTO journal (position, line) VALUES ($1, $2)");
        insert.bind(at.global_seq).bind(format!("{event_type} {body}")).execute(&mut **tx).await?;
        Ok(())
    }

    fn on_failure(&self) -> OnFailure {
        OnFailure::Stop
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = dev::database_named("projection_run_once").await?;
    println!("Database     {database}");
    let store = Store::builder(database.url()).sql_projection::<Balances>().build().await?;
    store.schema().sync(&SchemaConfig::single_tenant()).await?;
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS balances (account uuid PRIMARY KEY, cents bigint CHECK (cents >= 0)); \
         CREATE TABLE IF NOT EXISTS journal (position bigint PRIMARY KEY, line text)",
    )
    .execute(store.pool())
    .await?;

    let (kim, bo) = (Uuid::now_v7(), Uuid::now_v7());
    let deposit = |cents| AccountEvent::Deposited(Deposited { cents });
    let withdraw = |cents| AccountEvent::Withdrawn(Withdrawn { cents });
    store.events().append_stream(kim, Expected::NoStream, [deposit(500), withdraw(200)]).await?;
    store.events().append_stream(bo, Expected::NoStream, [deposit(100), withdraw(300), deposit(900)]).await?;

    // the projections that the store knows
    let projections = store.projections();
    println!("Ran          {:?}", projections.run_until_idle(None).await?);
    for (who, account) in [("kim", kim), ("bo", bo)] {
        let balance = "SELECT cents FROM balances WHERE account = $1";
        let cents: Option<i64> = sqlx::query_scalar(balance).bind(account).fetch_optional(store.pool()).await?;
        println!("Balance      {who:4} {}", cents.unwrap_or_default());
    }

    // what failed waits, with everything behind it, until somebody looks
    for letter in projections.dlq_list("balances", 10).await? {
        let why = letter.error.as_deref().unwrap_or("waits behind it");
        println!("Set aside    {} at {}: {why}", letter.event_type.as_deref().unwrap_or("?"), letter.position);
    }
    if let Some(first) = projections.dlq_list("balances", 1).await?.first() {
        let done = projections.dlq_delete("balances", first.id).await?;
        println!("Given up     the first; {} behind it took effect", done.applied);
    }

    // handlers by name, on a pool
    let mut daemon = ProjectionDaemon::new(store.pool().clone(), ProjectionWorkerConfig::default());
    daemon.register("journal", Journal);
    println!("Tick         {:?}", daemon.tick_once("journal").await?);
    println!("Tick         {:?}", daemon.tick_once("journal").await?);

    let metrics = projections.metrics("balances").await?;
    println!(
        "Metrics      {} handled, {} behind, {} failures",
        metrics.processed, metrics.lag_events, metrics.failures
    );
    Ok(())
}
