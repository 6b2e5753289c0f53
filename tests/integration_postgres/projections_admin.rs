use std::time::{Duration, Instant};

use rillflow::Lifecycle::Async;
use rillflow::projection_runtime::{ProjectionDaemon, ProjectionWorkerConfig, TickResult};
use rillflow::projections::ProjectionHandler;
use rillflow::{BoxError, Error, EventEnvelope, Expected, RawJson, Store};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::orders::{CustomerId, CustomerSales, Order, SalesProjection, placed};
use crate::support::{SOON, TestResult, store_with, tick};

const SALES: &str = "customer-sales";

pub(crate) async fn place(store: &Store, customer: CustomerId, total: i64) -> rillflow::Result<i64> {
    let order = store.aggregate::<Order>(Uuid::now_v7());
    Ok(order.append(Expected::NoStream, vec![placed(customer, total)]).await?.position())
}

async fn orders_of(store: &Store, customer: CustomerId) -> rillflow::Result<i64> {
    Ok(store.docs().get::<CustomerSales>(&customer).await?.map_or(0, |(doc, _)| doc.orders))
}

#[tokio::test]
async fn a_projection_run_by_hand_does_one_batch_or_all_there_is() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let kim = CustomerId::default();
    for total in 0..5 {
        place(&store, kim, total).await?;
    }
    let mut config = ProjectionWorkerConfig::default();
    config.batch_size = 2;
    let projections = store.projections().with_config(config);

    let once = projections.run_once(SALES).await?;
    assert_eq!(once, [(SALES.to_owned(), TickResult::Processed { count: 2 })]);
    assert_eq!(orders_of(&store, kim).await?, 2);
    let rest = projections.run_until_idle(None).await?;
    assert_eq!(rest, [(SALES.to_owned(), TickResult::Processed { count: 3 })]);
    assert_eq!(projections.run_once(SALES).await?, [(SALES.to_owned(), TickResult::Idle)]);
    assert_eq!(orders_of(&store, kim).await?, 5);

    let unknown = projections.run_once("nobody").await;
    assert!(matches!(unknown, Err(Error::UnknownProjection { name }) if name == "nobody"));
    Ok(())
}

#[tokio::test]
async fn a_paused_projection_stands_still_until_it_is_resumed() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let mut config = ProjectionWorkerConfig::default();
    config.lease_ttl = Duration::from_millis(600);
    let daemon = store.start_daemon_with(config).await?;
    let kim = CustomerId::default();
    let first = place(&store, kim, 1).await?;
    store.wait_for(SALES, first, SOON).await?;

    store.projections().pause(SALES).await?;
    let second = place(&store, kim, 2).await?;
    assert!(store.wait_for(SALES, second, Duration::from_millis(900)).await.is_err());
    assert_eq!(orders_of(&store, kim).await?, 1);
    assert_eq!(store.projections().run_once(SALES).await?[0].1, TickResult::Paused);
    assert_eq!(store.projections().status(SALES).await?.status, "paused");

    store.projections().resume(SALES).await?;
    store.wait_for(SALES, second, SOON).await?;
    assert_eq!(orders_of(&store, kim).await?, 2);
    daemon.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_projection_that_another_process_runs_is_left_to_it() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let daemon = store.start_daemon().await?;
    let first = place(&store, CustomerId::default(), 1).await?;
    store.wait_for(SALES, first, SOON).await?;
    assert_eq!(store.projections().run_once(SALES).await?[0].1, TickResult::LeasedByOther);
    assert!(store.projections().status(SALES).await?.owner.is_some());
    daemon.shutdown().await;
    assert_eq!(store.projections().status(SALES).await?.owner, None);
    assert_eq!(store.projections().run_once(SALES).await?[0].1, TickResult::Idle);
    Ok(())
}

#[tokio::test]
async fn metrics_say_how_far_a_projection_is_behind() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let kim = CustomerId::default();
    place(&store, kim, 1).await?;
    store.projections().run_until_idle(SALES).await?;
    let since = Instant::now();
    for total in 0..3 {
        place(&store, kim, total).await?;
    }
    sqlx::raw_sql("SELECT pg_sleep(0.05)").execute(store.pool()).await?; // for a lag that can be told from none

    let metrics = store.projections().metrics(SALES).await?;
    assert_eq!((metrics.processed, metrics.lag_events, metrics.failures, metrics.dead_letters), (1, 3, 0, 0));
    let most = since.elapsed().as_secs_f64();
    assert!((0.05..=most).contains(&metrics.lag_seconds), "{metrics:?}, and {most} at the most");
    store.projections().run_until_idle(SALES).await?;
    let metrics = store.projections().metrics(SALES).await?;
    assert_eq!((metrics.processed, metrics.lag_events), (4, 0));
    assert_eq!(metrics.lag_seconds, 0.0);
    assert!(metrics.events_per_second > 0.0);
    assert_eq!(store.projections().list().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_checkpoint_can_be_set_by_hand() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let kim = CustomerId::default();
    let first = place(&store, kim, 1).await?;
    let second = place(&store, kim, 2).await?;
    store.projections().run_until_idle(SALES).await?;
    store.projections().reset_checkpoint(SALES, first).await?;
    assert_eq!(store.projections().status(SALES).await?.position, first);
    store.projections().run_until_idle(SALES).await?;
    let positions = store.docs().get::<CustomerSales>(&kim).await?.map(|(doc, _)| doc.positions);
    assert_eq!(positions, Some(vec![first, second, second]), "the second is folded again, as was asked for");
    let unknown = store.projections().reset_checkpoint("nobody", 0).await;
    assert!(matches!(unknown, Err(Error::UnknownProjection { .. })));
    Ok(())
}

/// Notes every event in a table.
struct Notes;

impl ProjectionHandler for Notes {
    async fn apply(
        &self,
        event_type: &str,
        body: &RawJson,
        at: &EventEnvelope,
        tx: &mut Transaction<'_, Postgres>,
    ) -> Result<(), BoxError> {
        let insert = sqlx::query("INSERT INTO notes (position, type, body) VALUES ($1, $2, $3)");
        insert.bind(at.global_seq).bind(event_type).bind(body.as_str()).execute(&mut **tx).await?;
        Ok(())
    }

    fn types(&self) -> Option<&[&str]> {
        Some(&["tick"])
    }
}

#[tokio::test]
async fn a_handler_by_name_runs_from_a_daemon_on_the_applications_own_pool() -> TestResult {
    let (_db, store) = store_with(|it| it).await?;
    sqlx::raw_sql("CREATE TABLE notes (position bigint PRIMARY KEY, type text, body text)")
        .execute(store.pool())
        .await?;
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1), tick(2), tick(3)]).await?;
    place(&store, CustomerId::default(), 1).await?;

    let mut daemon = ProjectionDaemon::new(store.pool().clone(), ProjectionWorkerConfig::default());
    daemon.register("notes", Notes);
    assert_eq!(daemon.tick_once("notes").await?, TickResult::Processed { count: 3 });
    assert_eq!(daemon.tick_all_once().await?, [("notes".to_owned(), TickResult::Idle)]);

    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(4)]).await?;
    let daemon = ProjectionDaemon::builder(store.pool().clone())
        .schema("public")
        .batch_size(500)
        .lease_ttl(Duration::from_secs(5))
        .backoff(Duration::from_millis(10), Duration::from_millis(100))
        .register("notes", Notes)
        .build()?;
    daemon.run_until_idle().await?;
    let notes: Vec<(String, String)> =
        sqlx::query_as("SELECT type, body FROM notes ORDER BY position").fetch_all(store.pool()).await?;
    let expected: Vec<_> = (1..=4).map(|n| ("tick".to_owned(), n.to_string())).collect();
    assert_eq!(notes, expected);
    Ok(())
}
