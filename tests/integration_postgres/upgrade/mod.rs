/// What the layouts hold.
mod fill;

use rillflow::subscriptions::{SubscriptionFilter, SubscriptionOptions};
use rillflow::{Expected, SchemaConfig, Store, TagQuery};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use self::fill::{Book, book, configured, impatient, order};
use crate::orders::{Customer, CustomerId, CustomerSales, Order, OrderState, customer, placed};
use crate::support::{Db, SOON, TestResult};

/// Every layout that was in use, by its last migration, as `pg_dump --inserts` of a database with data in it.
const LAYOUTS: &[(u32, &str)] = &[
    (4, include_str!("../../fixtures/layout_0004.sql")),
    (8, include_str!("../../fixtures/layout_0008.sql")),
    (11, include_str!("../../fixtures/layout_0011.sql")),
    (12, include_str!("../../fixtures/layout_0012.sql")),
];

async fn restored(layout: &'static str) -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let db = Db::create().await?;
    // a connection of its own, as a dump leaves settings behind
    let mut conn = PgConnection::connect(db.url()).await?;
    sqlx::raw_sql(AssertSqlSafe(layout)).execute(&mut conn).await?;
    conn.close().await?;
    let store = configured(db.url()).build().await?;
    Ok((db, store))
}

#[tokio::test]
async fn a_sync_brings_every_layout_to_the_newest_with_its_data() -> TestResult {
    for (number, layout) in LAYOUTS {
        let (_db, store) = restored(layout).await?;
        let planned = store.schema().plan(&SchemaConfig::single_tenant()).await?;
        assert!(planned.steps.iter().all(|step| !step.destructive), "{planned}");
        if *number >= 8 {
            // whoever edits a migration that was released changes what it should have made here
            assert!(planned.steps.iter().all(|it| it.description.starts_with("migration ")), "{number}: {planned}");
        }
        store.schema().sync(&SchemaConfig::single_tenant()).await?;
        sqlx::raw_sql("TRUNCATE rillflow_syncs").execute(store.pool()).await?;
        let after = store.schema().plan(&SchemaConfig::single_tenant()).await?;
        assert!(after.is_empty(), "layout {number}: {after}");

        the_data_is_there(&store).await?;
        if *number >= 8 {
            what_came_later_is_there(&store).await?;
        }
        the_store_goes_on(&store).await?;
    }
    Ok(())
}

/// Whoever has his own runner for the migrations comes to the same.
#[tokio::test]
async fn the_migrations_alone_bring_every_layout_to_the_newest() -> TestResult {
    for (number, layout) in LAYOUTS {
        let (_db, store) = restored(layout).await?;
        for (version, text) in fill::migrations()? {
            if version > *number {
                sqlx::raw_sql(AssertSqlSafe(text)).execute(store.pool()).await?;
            }
        }
        sqlx::raw_sql(AssertSqlSafe(store.schema().texts_alone().patch())).execute(store.pool()).await?;
        let planned = store.schema().plan(&SchemaConfig::single_tenant()).await?;
        assert!(planned.steps.iter().all(|step| !step.description.starts_with("migration ")), "{number}: {planned}");
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
    assert_eq!(positions[..13], [1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], "two went with their stream");
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

async fn what_came_later_is_there(store: &Store) -> TestResult {
    let walked = store.events().all().tags(TagQuery::tag("book", &2).and("by", "kim")).fetch_all().await?;
    assert_eq!(walked.iter().map(|it| (it.stream_id.0, it.global_seq)).collect::<Vec<_>>(), [(order(8), 16)]);
    assert_eq!(walked[0].correlation_id, Some(Uuid::from_u128(0xc0)));
    let messages = store.outbox().read(0, 10).await?;
    assert_eq!(
        messages.iter().map(|it| (it.message_id, it.position)).collect::<Vec<_>>(),
        [(Uuid::from_u128(0x3e), 17)]
    );

    let stored = store.docs().get_with_metadata::<Book>(&1).await?.ok_or("a book")?;
    assert_eq!((stored.document, stored.metadata.last_modified_by.as_deref()), (book(1), Some("kim")));
    assert!(!store.docs().exists::<Book>(&3).await?);
    assert_eq!(store.docs().restore::<Book>(&3).await?, 3, "it was deleted, not gone");

    let letters = store.projections().dlq_list("shipments", 100).await?;
    let waiting = letters.iter().filter(|it| it.error.is_none()).count();
    assert_eq!((letters.len(), waiting), (12, 6), "one of each order failed, one waits behind it");
    let requeued = store.projections().with_config(impatient()).dlq_requeue("shipments", letters[0].id).await?;
    assert!(requeued.failed.is_some(), "{requeued:?}");
    assert!(store.projections().roll_back("customer-sales").await?, "the read model before the rebuild was kept");

    let options = SubscriptionOptions::default().group("mails").manual();
    let (handle, mut rx) =
        store.subscriptions().subscribe("ticks", SubscriptionFilter::default().types(["tick"]), options).await?;
    let mut versions = Vec::new();
    for _ in 0..3 {
        versions.push(rx.recv().await.ok_or("a tick")?.stream_seq);
    }
    assert_eq!(versions, [2, 5, 6], "what was done is done, what was given up stays aside");
    assert_eq!(store.subscriptions().dead_letters("ticks", None, 10).await?.len(), 1);
    Ok(handle.shutdown().await?)
}

async fn the_store_goes_on(store: &Store) -> TestResult {
    let kim = CustomerId(Uuid::from_u128(7));
    let daemon = store.start_daemon().await?;
    let appended = store.events().append_stream(Uuid::now_v7(), Expected::NoStream, [placed(kim, 100)]).await?;
    store.wait_for("customer-sales", appended.position(), SOON).await?;
    let sales = store.docs().get::<CustomerSales>(&kim).await?.ok_or("the read model")?.0;
    assert_eq!((sales.orders, sales.total), (7, 121));
    daemon.shutdown().await;
    Ok(())
}
