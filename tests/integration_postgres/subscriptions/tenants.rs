use std::time::Duration;

use rillflow::subscriptions::{SubscriptionFilter, SubscriptionOptions};
use rillflow::{DaemonConfig, Expected, Lifecycle, SchemaConfig, Store, TenancyMode};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{manual, positions, take, until};
use crate::orders::{CustomerSales, SalesProjection};
use crate::support::{Db, TestResult, tick};

const LISTENERS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%LISTEN%' \
     AND query NOT LIKE '%pg_stat_activity%'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_listens_for_the_subscriptions_and_projections_of_all_tenants() -> TestResult {
    let db = Db::create().await?;
    let builder = Store::builder(db.url()).max_connections(5).document::<CustomerSales>();
    let builder = builder.projection::<SalesProjection>(Lifecycle::Async).tenants(TenancyMode::SchemaPerTenant);
    let store = builder.build().await?;
    // who is not told would wait for a beat, a third of this
    let lease_ttl = Duration::from_secs(3600);
    let options = SubscriptionOptions { partitions: 2, lease_ttl, ..manual() }.group("workers");
    let mut running = Vec::new();
    for number in 0..6 {
        let tenant = store.ensure_tenant(&format!("tenant-{number}")).await?;
        let subscribed =
            tenant.subscriptions().subscribe("all", SubscriptionFilter::default(), options.clone()).await?;
        running.push((tenant, subscribed));
    }
    let daemon = store.start_daemon(DaemonConfig::default(), 3);
    // a store of another schema of the same database, in this process
    let other = Store::builder(db.url()).schema("other").max_connections(2).build().await?;
    other.schema().sync(&SchemaConfig::single_tenant()).await?;
    let (_handle, mut rx) =
        other.subscriptions().subscribe("all", SubscriptionFilter::default(), options.clone()).await?;
    let at = other.events().append_stream(Uuid::now_v7(), Expected::NoStream, [tick(1)]).await?.position();
    assert_eq!(positions(&take(&mut rx, 1).await), [at]);

    for (tenant, (handle, rx)) in &mut running {
        let at = tenant.events().append_stream(Uuid::now_v7(), Expected::NoStream, [tick(1)]).await?.position();
        assert_eq!(positions(&take(rx, 1).await), [at]);
        handle.ack(at).await?;
        let second = tenant.subscriptions().subscribe("all", SubscriptionFilter::default(), options.clone()).await?;
        until("one partition each", || async { Ok(second.0.health().partitions.len() == 1) }).await?;
    }
    let mut looking = PgConnection::connect(db.url()).await?;
    let listeners: i64 = sqlx::query_scalar(LISTENERS).fetch_one(&mut looking).await?;
    assert_eq!(listeners, 1, "one connection listens for all of them");

    drop((running, rx, _handle));
    daemon.shutdown().await;
    let nobody = async || Ok(sqlx::query_scalar::<_, i64>(LISTENERS).fetch_one(&mut looking).await? == 0);
    Ok(until("nobody listens", nobody).await?)
}
