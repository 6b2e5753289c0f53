use std::collections::HashMap;
use std::time::Duration;

use rillflow::Lifecycle::{Async, Inline};
use rillflow::{DaemonConfig, Document, Error, EventEnvelope, Expected, Store, projection};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::orders::{
    Cancelled, CustomerId, CustomerSales, NotOpen, Order, OrderEvent, OrderId, Placed, SalesProjection, Shipped, placed,
};
use crate::support::{SOON, TestResult, append_raw, store_with, tick};

/// A second read model: one document per order, by its stream.
#[derive(Clone, Debug, Serialize, Deserialize, Document)]
#[document(collection = "order_logs")]
struct OrderLog {
    #[document(id)]
    id: OrderId,
    events: Vec<String>,
}

impl Default for OrderLog {
    fn default() -> Self {
        Self { id: OrderId(Uuid::nil()), events: vec![] }
    }
}

struct OrderLogs;

#[projection(name = "order-logs", version = 1, events = OrderEvent, document = OrderLog)]
impl OrderLogs {
    #[key]
    fn of_placed(_: &Placed, at: &EventEnvelope) -> OrderId {
        OrderId(at.stream_id.0)
    }

    #[key]
    fn of_shipped(_: &Shipped, at: &EventEnvelope) -> Option<OrderId> {
        Some(OrderId(at.stream_id.0))
    }

    #[key]
    fn of_cancelled(_: &Cancelled, at: &EventEnvelope) -> Vec<OrderId> {
        vec![OrderId(at.stream_id.0)]
    }

    fn on_placed(doc: &mut OrderLog, e: &Placed) {
        doc.events.push(format!("placed {}", e.total));
    }

    fn on_shipped(doc: &mut OrderLog, e: &Shipped) {
        doc.events.push(format!("shipped {}", e.tracking));
    }

    fn on_cancelled(doc: &mut OrderLog, _: &Cancelled) {
        doc.events.push("cancelled".to_owned());
    }
}

/// The next version of the sales: it counts cents.
mod next {
    use crate::orders::{Cancelled, CustomerId, CustomerSales, OrderEvent, Placed};

    pub(super) struct SalesProjection;

    #[rillflow::projection(name = "customer-sales", version = 2, events = OrderEvent, document = CustomerSales, ignore(Shipped, Cancelled))]
    impl SalesProjection {
        #[key]
        fn of_placed(e: &Placed) -> CustomerId {
            e.customer
        }

        fn on_placed(doc: &mut CustomerSales, e: &Placed) {
            doc.orders += 1;
            doc.total += e.total * 100;
        }
    }

    use crate::orders::Shipped;
}

fn quick() -> DaemonConfig {
    let mut config = DaemonConfig::default();
    config.lease_ttl = Duration::from_millis(600);
    config.first_retry = Duration::from_millis(20);
    config.longest_retry = Duration::from_millis(50);
    config
}

async fn place(store: &Store, customer: CustomerId, total: i64) -> rillflow::Result<i64> {
    let order = store.aggregate::<Order>(Uuid::now_v7());
    Ok(order.append(Expected::NoStream, vec![placed(customer, total)]).await?.position())
}

async fn sales(store: &Store, customer: CustomerId) -> rillflow::Result<Option<CustomerSales>> {
    Ok(store.docs().get::<CustomerSales>(&customer).await?.map(|(doc, _)| doc))
}

/// What the read model must hold: the events folded in memory, in their order.
async fn folded(store: &Store) -> rillflow::Result<HashMap<Uuid, CustomerSales>> {
    let mut by_customer: HashMap<Uuid, CustomerSales> = HashMap::new();
    for event in store.events().read_all(0, 100_000).await? {
        let (customer, orders, total) = match event.decode::<OrderEvent>()? {
            OrderEvent::Placed(e) => (e.customer, 1, e.total),
            OrderEvent::Cancelled(e) => (e.customer, -1, -e.total),
            OrderEvent::Shipped(_) => continue,
        };
        let doc = by_customer.entry(customer.0).or_insert_with(|| CustomerSales { id: customer, ..Default::default() });
        doc.orders += orders;
        doc.total += total;
        doc.positions.push(event.global_seq);
    }
    Ok(by_customer)
}

/// What the read model does hold.
async fn stored(store: &Store) -> rillflow::Result<HashMap<Uuid, CustomerSales>> {
    let all = store.docs().query::<CustomerSales>().fetch_all().await?;
    Ok(all.into_iter().map(|doc| (doc.id.0, doc)).collect())
}

crate::layouts::declared!(OrderLog, OpenOrder, OrderDocument);

#[tokio::test]
async fn an_async_projection_follows_the_events() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let (kim, bo) = (CustomerId::default(), CustomerId::default());
    place(&store, kim, 10).await?; // before the daemon runs
    let daemon = store.start_daemon().await?;
    place(&store, bo, 5).await?;
    let last = place(&store, kim, 20).await?;

    store.wait_for("customer-sales", last, SOON).await?;

    assert_eq!(sales(&store, kim).await?.map(|it| (it.orders, it.total)), Some((2, 30)));
    assert_eq!(stored(&store).await?, folded(&store).await?);
    daemon.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn an_async_projection_sees_a_late_commit_in_its_place() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let kim = CustomerId::default();
    let _daemon = store.start_daemon().await?;
    let mut unrelated = store.pool().begin().await?;
    sqlx::raw_sql("CREATE TABLE elsewhere (n int)").execute(&mut *unrelated).await?;

    let mut open = store.pool().begin().await?;
    let early = store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, [placed(kim, 1)]).await?;
    let late = place(&store, kim, 2).await?;
    let waited = store.wait_for("customer-sales", late, Duration::from_millis(300)).await;
    assert!(matches!(waited, Err(Error::WaitTimeout { .. })), "{waited:?}");
    assert_eq!(sales(&store, kim).await?, None, "2 is committed, but 1 comes before it");
    open.commit().await?;

    store.wait_for("customer-sales", late, SOON).await?;
    assert_eq!(sales(&store, kim).await?.map(|it| it.positions), Some(vec![early.position(), late]));
    Ok(())
}

#[tokio::test]
async fn an_inline_projection_commits_with_its_append() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Inline)).await?;
    let kim = CustomerId::default();
    let position = place(&store, kim, 10).await?;
    store.wait_for("customer-sales", position, SOON).await?;
    assert_eq!(sales(&store, kim).await?.map(|it| it.total), Some(10));

    let mut given_up = store.pool().begin().await?;
    store.events().append_in_tx(&mut given_up, Uuid::now_v7(), Expected::Any, [placed(kim, 1)]).await?;
    given_up.rollback().await?;
    assert_eq!(stored(&store).await?, folded(&store).await?);
    Ok(())
}

#[tokio::test]
async fn a_failing_inline_projection_leaves_nothing_of_the_append() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Inline)).await?;
    for total in [i64::MAX, i64::MIN] {
        let failed = place(&store, CustomerId::default(), total).await;
        assert!(matches!(&failed, Err(Error::Projection { name, .. }) if name == "customer-sales"), "{failed:?}");
    }
    assert!(store.events().read_all(0, 10).await?.is_empty());
    assert!(stored(&store).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn inline_projections_of_one_document_lose_no_update() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Inline)).await?;
    let kim = CustomerId::default();
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for total in 0..5 {
                    place(&store, kim, total).await?;
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    for writer in writers {
        writer.await??;
    }
    let doc = sales(&store, kim).await?.ok_or("no document")?;
    assert_eq!((doc.orders, doc.total), (40, 80));
    Ok(())
}

#[tokio::test]
async fn inline_async_and_a_fold_in_memory_agree() -> TestResult {
    let (db, inline) = store_with(|it| it.projection::<SalesProjection>(Inline)).await?;
    let customers: Vec<_> = (0..3).map(|_| CustomerId::default()).collect();
    for n in 0..60 {
        let order = inline.aggregate::<Order>(Uuid::now_v7());
        order.append(Expected::NoStream, vec![placed(customers[n % 3], n as i64)]).await?;
        if n % 4 == 0 {
            let cancel = Cancelled { customer: customers[n % 3], total: n as i64 };
            order.decide(|_| Ok::<_, NotOpen>(vec![OrderEvent::Cancelled(cancel.clone())])).await?;
        } else {
            order.decide(|order| order.ship("1Z")).await?;
        }
    }
    let expected = folded(&inline).await?;
    assert_eq!(stored(&inline).await?, expected, "inline");

    sqlx::raw_sql("TRUNCATE docs_customer_sales").execute(inline.pool()).await?;
    let later = Store::builder(db.url()).projection::<SalesProjection>(Async).build().await?;
    let mut small_batches = quick();
    small_batches.batch_size = 7;
    let _daemon = later.start_daemon_with(small_batches).await?;
    let last = later.events().read_all(0, 1000).await?.last().map_or(0, |e| e.global_seq);
    later.wait_for("customer-sales", last, SOON).await?;
    assert_eq!(stored(&later).await?, expected, "async");
    Ok(())
}

#[tokio::test]
async fn two_processes_share_the_work_without_doing_it_twice() -> TestResult {
    let (db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let other = Store::builder(db.url()).projection::<SalesProjection>(Async).build().await?;
    let first = store.start_daemon_with(quick()).await?;
    let second = other.start_daemon_with(quick()).await?;
    let mut last = 0;
    for n in 0..30 {
        last = place(if n % 2 == 0 { &store } else { &other }, CustomerId::default(), n).await?;
    }
    other.wait_for("customer-sales", last, SOON).await?;
    assert_eq!(stored(&store).await?, folded(&store).await?);

    // whichever owned it is gone: one hands over, and the next append is done by the other
    first.shutdown().await;
    last = place(&store, CustomerId::default(), 1).await?;
    other.wait_for("customer-sales", last, SOON).await?;
    assert_eq!(stored(&store).await?, folded(&store).await?);
    second.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn an_owner_that_vanishes_is_followed_by_another_when_its_lease_ran_out() -> TestResult {
    let (db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let daemon = store.start_daemon_with(quick()).await?;
    let first = place(&store, CustomerId::default(), 1).await?;
    store.wait_for("customer-sales", first, SOON).await?;
    let gone = store.projection_status("customer-sales").await?.and_then(|it| it.owner);
    drop(daemon); // as a crash: nothing is handed over
    assert!(gone.is_some());

    let other = Store::builder(db.url()).projection::<SalesProjection>(Async).build().await?;
    let _daemon = other.start_daemon_with(quick()).await?;
    let second = place(&other, CustomerId::default(), 2).await?;
    other.wait_for("customer-sales", second, SOON).await?;

    assert_ne!(other.projection_status("customer-sales").await?.and_then(|it| it.owner), gone);
    assert_eq!(stored(&store).await?, folded(&store).await?);
    Ok(())
}

#[tokio::test]
async fn an_owner_that_lost_its_lease_writes_nothing() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let mut config = quick();
    config.lease_ttl = Duration::from_secs(3600); // it will not look at its lease by itself
    let _zombie = store.start_daemon_with(config).await?;
    let first = place(&store, CustomerId::default(), 1).await?;
    store.wait_for("customer-sales", first, SOON).await?;

    let steal = "UPDATE projections SET lease_owner = gen_random_uuid(), lease_token = lease_token + 1, \
                 lease_until = clock_timestamp() + interval '1 hour'";
    sqlx::raw_sql(steal).execute(store.pool()).await?;
    let second = place(&store, CustomerId::default(), 2).await?;
    let waited = store.wait_for("customer-sales", second, Duration::from_secs(1)).await;

    assert!(matches!(waited, Err(Error::WaitTimeout { reached, .. }) if reached < second), "{waited:?}");
    assert_eq!(stored(&store).await?.len(), 1, "the document of the second order is for the new owner to write");
    Ok(())
}

#[tokio::test]
async fn a_failing_event_stops_its_own_projection_after_what_came_before_it() -> TestResult {
    for poison in [i64::MAX, i64::MIN] {
        let both = |it: rillflow::StoreBuilder| it.projection::<SalesProjection>(Async).projection::<OrderLogs>(Async);
        let (_db, store) = store_with(both).await?;
        let (kim, bo) = (CustomerId::default(), CustomerId::default());
        let good = place(&store, kim, 10).await?;
        let bad = place(&store, bo, poison).await?;
        let after = place(&store, kim, 20).await?;
        let _daemon = store.start_daemon_with(quick()).await?;

        store.wait_for("order-logs", after, SOON).await?;
        store.wait_for("customer-sales", bad - 1, SOON).await?;
        let error = loop {
            let status = store.projection_status("customer-sales").await?.ok_or("no status")?;
            assert!((good..bad).contains(&status.position));
            if let Some(error) = status.error {
                break error;
            }
            tokio::task::yield_now().await;
        };
        assert!(error.contains(&format!("at position {bad}")), "{error}");
        assert_eq!(stored(&store).await?.len(), 1);
        assert_eq!(sales(&store, kim).await?.map(|it| it.total), Some(10));
    }
    Ok(())
}

#[tokio::test]
async fn a_new_version_is_built_anew_and_an_old_one_keeps_away() -> TestResult {
    let (db, old) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let kim = CustomerId::default();
    let daemon = old.start_daemon_with(quick()).await?;
    let first = place(&old, kim, 3).await?;
    old.wait_for("customer-sales", first, SOON).await?;
    daemon.shutdown().await;

    let new = Store::builder(db.url()).projection::<next::SalesProjection>(Async).build().await?;
    let daemon = new.start_daemon_with(quick()).await?;
    let second = place(&new, kim, 4).await?;
    new.wait_for("customer-sales", second, SOON).await?;
    assert_eq!(sales(&new, kim).await?.map(|it| (it.orders, it.total)), Some((2, 700)));
    daemon.shutdown().await;

    let _old_daemon = old.start_daemon_with(quick()).await?;
    let third = place(&old, kim, 5).await?;
    assert!(old.wait_for("customer-sales", third, Duration::from_secs(1)).await.is_err());
    assert_eq!(sales(&new, kim).await?.map(|it| it.total), Some(700));
    Ok(())
}

#[tokio::test]
async fn another_history_is_noticed_instead_of_followed() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let daemon = store.start_daemon_with(quick()).await?;
    let last = place(&store, CustomerId::default(), 1).await?;
    store.wait_for("customer-sales", last, SOON).await?;
    daemon.shutdown().await;

    // as after a restore: the same positions, other events
    sqlx::raw_sql("ALTER TABLE events DISABLE TRIGGER events_note_removal; DELETE FROM events; DELETE FROM streams; SELECT setval('events_global_seq', 1, false)")
        .execute(store.pool())
        .await?;
    place(&store, CustomerId::default(), 2).await?;
    place(&store, CustomerId::default(), 3).await?;
    let _daemon = store.start_daemon_with(quick()).await?;

    let error = loop {
        if let Some(error) = store.projection_status("customer-sales").await?.and_then(|it| it.error) {
            break error;
        }
        tokio::task::yield_now().await;
    };
    assert!(error.contains("history"), "{error}");
    assert_eq!(stored(&store).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn events_that_other_software_inserts_are_followed_too() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let _daemon = store.start_daemon().await?;
    let kim = CustomerId::default();
    let body = serde_json::json!({ "customer": kim, "total": 7 }).to_string();
    let position = append_raw(&store, "order-placed", 2, &body).await?;
    store.wait_for("customer-sales", position, SOON).await?;
    assert_eq!(sales(&store, kim).await?.map(|it| it.total), Some(7));
    Ok(())
}

#[tokio::test]
async fn events_a_projection_does_not_handle_move_it_on() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let _daemon = store.start_daemon().await?;
    let position = store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1)]).await?.position();
    store.wait_for("customer-sales", position, SOON).await?;
    Ok(())
}

#[tokio::test]
async fn a_projection_nobody_registered_is_an_error() -> TestResult {
    let (_db, store) = store_with(|it| it).await?;
    let unknown = store.wait_for("nobody", 1, SOON).await;
    assert!(matches!(unknown, Err(Error::UnknownProjection { name }) if name == "nobody"));
    Ok(())
}

#[tokio::test]
async fn projections_work_in_a_schema_of_their_own() -> TestResult {
    let (_db, store) =
        store_with(|it| it.schema("app").projection::<SalesProjection>(Async).projection::<OrderLogs>(Inline)).await?;
    let _daemon = store.start_daemon().await?;
    let id = OrderId(Uuid::now_v7());
    let kim = CustomerId::default();
    let placed = store.aggregate::<Order>(id).append(Expected::NoStream, vec![placed(kim, 3)]).await?;
    store.wait_for("customer-sales", placed.position(), SOON).await?;
    assert_eq!(sales(&store, kim).await?.map(|it| it.total), Some(3));
    assert_eq!(store.docs().get::<OrderLog>(&id).await?.map(|(log, _)| log.events), Some(vec!["placed 3".to_owned()]));
    Ok(())
}

#[tokio::test]
async fn a_projection_comes_to_the_same_in_whatever_way_it_is_run() -> TestResult {
    for lifecycle in [Inline, Async] {
        let (_db, store) = store_with(|it| it.projection::<SalesProjection>(lifecycle)).await?;
        for n in 0..30 {
            place(&store, CustomerId(Uuid::from_u128(n % 4)), n as i64).await?;
        }
        rillflow::testing::assert_projection_agrees::<SalesProjection>(&store).await?;

        // an effect that came twice, as after a crash without a checkpoint
        sqlx::raw_sql("UPDATE docs_customer_sales SET doc = jsonb_set(doc, '{total}', '-1')")
            .execute(store.pool())
            .await?;
        let checked = tokio::spawn({
            let store = store.clone();
            async move { rillflow::testing::assert_projection_agrees::<SalesProjection>(&store).await }
        });
        let panic = checked.await.err().ok_or("nothing was noticed")?.into_panic();
        let message = panic.downcast_ref::<String>().ok_or("no message")?;
        assert!(message.contains("as it is stored") && message.contains("-1"), "{message}");
    }
    Ok(())
}

/// Orders that are open: one that was shipped is deleted, one that was cancelled begins anew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "open_orders")]
struct OpenOrder {
    #[document(id)]
    id: Uuid,
    total: i64,
    events: i64,
}

struct OpenOrders;

#[projection(name = "open-orders", events = OrderEvent, document = OpenOrder, key = stream)]
impl OpenOrders {
    fn on_placed(doc: &mut OpenOrder, e: &Placed) {
        doc.total += e.total;
        doc.events += 1;
    }

    fn on_shipped(_: &mut OpenOrder, _: &Shipped) -> rillflow::DocumentOutcome {
        rillflow::DocumentOutcome::Delete
    }

    fn on_cancelled(doc: &mut OpenOrder, _: &Cancelled) -> Result<(), String> {
        doc.events += 1;
        Ok(())
    }
}

#[tokio::test]
async fn a_handler_deletes_a_document_and_a_later_event_makes_a_new_one() -> TestResult {
    for lifecycle in [Inline, Async] {
        let (_db, store) = store_with(|it| it.projection::<OpenOrders>(lifecycle)).await?;
        let (kept, gone, again) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        let kim = CustomerId::default();
        let shipped = || OrderEvent::Shipped(Shipped { tracking: "1Z".to_owned() });
        for stream in [kept, gone, again] {
            store.events().append_stream(stream, Expected::Any, [placed(kim, 5)]).await?;
        }
        // of a stored document, of one that never was stored, and before the next event of the same batch
        store.events().append_stream(gone, Expected::Any, [shipped()]).await?;
        let never = Uuid::now_v7();
        store.events().append_stream(never, Expected::Any, [placed(kim, 1), shipped()]).await?;
        store.events().append_stream(again, Expected::Any, [shipped(), placed(kim, 7)]).await?;

        rillflow::testing::assert_projection_agrees::<OpenOrders>(&store).await?;
        let mut stored = store.docs().query::<OpenOrder>().fetch_all().await?;
        stored.sort_by_key(|doc| doc.total);
        let expected = [OpenOrder { id: kept, total: 5, events: 1 }, OpenOrder { id: again, total: 7, events: 1 }];
        assert_eq!(stored, expected);
    }
    Ok(())
}

/// The state of an order as a document of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Document, rillflow::Aggregate)]
#[document(collection = "order_states")]
#[aggregate(events = OrderEvent, stream = "order-state", snapshot_version = 2, shards = 3)]
struct OrderDocument {
    #[document(id)]
    id: Uuid,
    total: i64,
    shipped: bool,
}

#[rillflow::handlers(ignore(Cancelled))]
impl OrderDocument {
    fn on_placed(&mut self, e: &Placed) {
        self.total = e.total;
    }

    fn on_shipped(&mut self, _: &Shipped) {
        self.shipped = true;
    }
}

#[tokio::test]
async fn the_state_of_an_aggregate_is_kept_as_a_document() -> TestResult {
    for lifecycle in [Inline, Async] {
        let (_db, store) = store_with(|it| it.aggregate_document::<OrderDocument>(lifecycle)).await?;
        let id = Uuid::now_v7();
        let events = [placed(CustomerId::default(), 9), OrderEvent::Shipped(Shipped { tracking: "1Z".to_owned() })];
        let appended = store.events().append_stream(id, Expected::NoStream, events).await?;
        if lifecycle == Async {
            store.projections().run_until_idle("order-state").await?;
            assert_eq!(store.projections().status("order-state").await?.shards.len(), 3);
        }
        assert_eq!(store.projections().status("order-state").await?.version, 2);
        store.wait_for("order-state", appended.position(), SOON).await?;
        let state = store.docs().get::<OrderDocument>(&id).await?.map(|(doc, _)| doc);
        assert_eq!(state, Some(OrderDocument { id, total: 9, shipped: true }));
    }
    Ok(())
}
