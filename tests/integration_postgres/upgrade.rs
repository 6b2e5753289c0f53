use rillflow::{Expected, Lifecycle, SchemaConfig, Store};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::orders::{Customer, CustomerId, CustomerSales, Order, OrderState, SalesProjection, customer, placed};
use crate::support::{Db, TestResult};

/// Every layout that was in use, as `pg_dump --inserts` of a database with data in it.
const LAYOUTS: &[&str] = &[include_str!("../fixtures/layout_0004.sql")];

async fn restored(layout: &'static str) -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let db = Db::create().await?;
    // a connection of its own, as a dump leaves settings behind
    let mut conn = PgConnection::connect(db.url()).await?;
    sqlx::raw_sql(AssertSqlSafe(layout)).execute(&mut conn).await?;
    conn.close().await?;
    let builder = Store::builder(db.url()).document::<Customer>().projection::<SalesProjection>(Lifecycle::Async);
    let store = builder.snapshot_every::<Order>(2).build().await?;
    Ok((db, store))
}

#[tokio::test]
async fn a_sync_brings_every_layout_to_the_newest_with_its_data() -> TestResult {
    for layout in LAYOUTS {
        let (_db, store) = restored(layout).await?;
        let planned = store.schema().plan(&SchemaConfig::single_tenant()).await?;
        assert!(planned.steps.iter().all(|step| !step.destructive), "{planned}");
        store.schema().sync(&SchemaConfig::single_tenant()).await?;
        sqlx::raw_sql("TRUNCATE rillflow_syncs").execute(store.pool()).await?;
        let after = store.schema().plan(&SchemaConfig::single_tenant()).await?;
        assert!(after.is_empty(), "{after}");

        the_data_is_there(&store).await?;
        the_store_goes_on(&store).await?;
    }
    Ok(())
}

async fn the_data_is_there(store: &Store) -> TestResult {
    for n in 1..=5 {
        let (found, version) = store.docs().get::<Customer>(&customer(n).id).await?.ok_or("a customer")?;
        assert_eq!((found, version), (customer(n), if n == 2 { 2 } else { 1 }));
    }
    let events = store.events().read_all(0, 100).await?;
    let positions: Vec<_> = events.iter().map(|event| event.global_seq).collect();
    assert_eq!(positions, [1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], "two went with their stream");
    let order = store.aggregate::<Order>(Uuid::from_u128(103)).load().await?;
    assert_eq!((order.state.state, order.state.total, order.version), (OrderState::Shipped, 3, 2));
    assert!(store.events().stream_state(Uuid::from_u128(101)).await?.is_some_and(|it| it.archived_at.is_some()));
    let kim = CustomerId(Uuid::from_u128(7));
    let sales = store.docs().get::<CustomerSales>(&kim).await?.ok_or("the read model")?.0;
    assert_eq!((sales.orders, sales.total), (6, 21));
    let repeated = store.events().builder(store.resolve_stream_alias("orders:42").await?).idempotency_key("req-1");
    let event = rillflow::Event::new("OrderPlaced", &serde_json::json!({"n": 1}));
    assert_eq!(repeated.push(event).send().await?.positions, [15], "an old key gives the old result");
    Ok(())
}

async fn the_store_goes_on(store: &Store) -> TestResult {
    let kim = CustomerId(Uuid::from_u128(7));
    let daemon = store.start_daemon().await?;
    let appended = store.events().append_stream(Uuid::now_v7(), Expected::NoStream, [placed(kim, 100)]).await?;
    store.wait_for("customer-sales", appended.position(), std::time::Duration::from_secs(20)).await?;
    let sales = store.docs().get::<CustomerSales>(&kim).await?.ok_or("the read model")?.0;
    assert_eq!((sales.orders, sales.total), (7, 121));
    daemon.shutdown().await;
    Ok(())
}
