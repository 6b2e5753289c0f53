//! Every Rust sample of the alpha's document, as it stood there but for what typing asks for.
//!
//! `docs/book/src/coming-from.md` lists each change with its reason.

#![allow(clippy::never_loop, clippy::needless_update, reason = "the samples have it so, and a test goes around once")]

use std::time::Duration;

use rillflow::{AggregateRepository, Error, Event, Expected, Store};
use serde_json::json;
use uuid::Uuid;

use crate::support::{self, TestResult};

#[tokio::test]
async fn the_store_builder() -> TestResult {
    let db = support::Db::create().await?;

    let store =
        rillflow::Store::builder(db.url()).max_connections(20).connect_timeout(Duration::from_secs(5)).build().await?;

    store.schema().sync(&rillflow::SchemaConfig::single_tenant()).await?;
    Ok(())
}

#[tokio::test]
async fn append_with_options() -> TestResult {
    let (_db, store) = support::store().await?;
    let stream_id = Uuid::new_v4();

    let opts = rillflow::events::AppendOptions {
        headers: Some(json!({"req_id": "r-123"})),
        causation_id: None,
        correlation_id: None,
        ..Default::default()
    };
    store.events().append_with(stream_id, Expected::Any, vec![Event::new("E1", &json!({}))], &opts).await?;

    let stored = store.events().read_stream(stream_id).await?;
    assert_eq!(stored[0].headers.as_ref().map(|it| it.as_str()), Some(r#"{"req_id": "r-123"}"#));
    Ok(())
}

#[tokio::test]
async fn idempotent_appends() -> TestResult {
    let (_db, store) = support::store().await?;
    let stream_id = Uuid::new_v4();

    let send = async |order_id: i64| {
        store
            .events()
            .builder(stream_id)
            .idempotency_key("req-123")
            .push(Event::new("OrderPlaced", &json!({"order_id": order_id})))
            .send()
            .await
    };
    let first = send(42).await?;
    // a second call with the same idempotency key returns the first result; another body is the conflict
    let second = send(42).await?;
    assert!(second.repeated && second.positions == first.positions);
    assert!(matches!(send(43).await, Err(Error::IdempotencyConflict { .. })));
    Ok(())
}

mod subscriptions {
    use rillflow::subscriptions::{AckMode, SubscriptionFilter, SubscriptionOptions, Subscriptions};
    use sqlx::{Postgres, Transaction};

    use super::*;

    async fn ping(store: &Store) -> rillflow::Result<Uuid> {
        let stream_id = Uuid::new_v4();
        store.events().append_stream(stream_id, Expected::Any, vec![Event::new("Ping", &json!({}))]).await?;
        Ok(stream_id)
    }

    #[tokio::test]
    async fn a_subscription() -> TestResult {
        let (_db, store) = support::store().await?;
        let pinged = ping(&store).await?;

        let subs = Subscriptions::new_with_schema(store.pool().clone(), "public");
        let filter = SubscriptionFilter { event_types: Some(vec!["Ping".into()]), ..Default::default() };
        let opts = SubscriptionOptions { start_from: 0, ..Default::default() };
        let (_handle, mut rx) = subs.subscribe("s1", filter, opts).await?;
        while let Some(env) = rx.recv().await {
            println!("{} {} {}", env.stream_id, env.stream_seq, env.typ);
            assert_eq!(env.stream_id.0, pinged);
            break;
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_group() -> TestResult {
        let (_db, store) = support::store().await?;
        let pinged = ping(&store).await?;

        let subs = Subscriptions::new_with_schema(store.pool().clone(), "public");
        let filter = SubscriptionFilter { event_types: Some(vec!["Ping".into()]), ..Default::default() };
        let mut opts = SubscriptionOptions { start_from: 0, ..Default::default() };
        opts.group = Some("workers-a".to_string());
        let (_h, mut rx) = subs.subscribe("orders", filter, opts).await?;
        assert_eq!(rx.recv().await.map(|env| env.stream_id.0), Some(pinged));
        Ok(())
    }

    #[tokio::test]
    async fn manual_acknowledgement() -> TestResult {
        let (_db, store) = support::store().await?;
        ping(&store).await?;

        let subs = Subscriptions::new_with_schema(store.pool().clone(), "public");
        let filter = SubscriptionFilter { event_types: Some(vec!["Ping".into()]), ..Default::default() };
        let mut opts = SubscriptionOptions { start_from: 0, ..Default::default() };
        opts.ack_mode = AckMode::Manual; // disable auto checkpointing
        let (handle, mut rx) = subs.subscribe("s1", filter, opts).await?;

        while let Some(env) = rx.recv().await {
            // ... process ...
            handle.ack(env.global_seq).await?; // checkpoint when done
            break;
        }
        Ok(())
    }

    #[tokio::test]
    async fn acknowledgement_in_a_transaction() -> TestResult {
        let (_db, store) = support::store().await?;
        ping(&store).await?;

        let subs = Subscriptions::new_with_schema(store.pool().clone(), "public");
        let filter = SubscriptionFilter { event_types: Some(vec!["Ping".into()]), ..Default::default() };
        let mut opts = SubscriptionOptions { start_from: 0, ..Default::default() };
        opts.ack_mode = AckMode::Manual; // we will ack inside our DB tx
        let (handle, mut rx) = subs.subscribe("orders", filter, opts).await?;

        while let Some(env) = rx.recv().await {
            let mut tx: Transaction<'_, Postgres> = store.pool().begin().await?;
            // 1) apply side effects in the same transaction
            // ... your writes using &mut *tx ...
            // 2) ack the subscription checkpoint in the same transaction
            handle.ack_in_tx(&mut tx, env.global_seq).await?;
            tx.commit().await?;
            break;
        }
        Ok(())
    }
}

mod aggregates {
    use rillflow::snapshotter::{Snapshotter, SnapshotterConfig};
    use rillflow::{Aggregate, handlers};
    use serde::{Deserialize, Serialize};

    use super::*;

    // the events are a closed set, so the compiler knows when one is not applied
    #[derive(Debug, Serialize, Deserialize)]
    struct Inc;

    #[derive(Debug, Event)]
    enum CounterEvent {
        #[event(name = "Inc")]
        Inc(Inc),
    }

    #[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
    #[aggregate(events = CounterEvent)]
    struct Counter {
        n: i32,
    }

    #[handlers]
    impl Counter {
        fn on_inc(&mut self, _: &Inc) {
            self.n += 1;
        }
    }

    fn inc() -> Vec<CounterEvent> {
        vec![CounterEvent::Inc(Inc)]
    }

    #[tokio::test]
    async fn an_aggregate_and_its_repository() -> TestResult {
        let (_db, store) = support::store().await?;

        let repo = AggregateRepository::new(store.events());
        let id = uuid::Uuid::new_v4();
        repo.commit(id, rillflow::Expected::Any, inc()).await?;
        let agg = repo.load(id).await?;

        let counter: Counter = agg.state;
        assert_eq!((counter.n, agg.version), (1, 1));
        Ok(())
    }

    #[tokio::test]
    async fn the_append_builder_and_a_validator() -> TestResult {
        let (_db, store) = support::store().await?;
        let id = Uuid::new_v4();

        // Fluent append with headers/ids and batching
        store
            .events()
            .builder(id)
            .headers(json!({"req_id": "abc-123"}))
            .push(Event::new("Inc", &json!(null)))
            .expected(rillflow::Expected::Any)
            .send()
            .await?;

        // Optional pre-commit validator (receives the aggregate's state)
        fn validate(state: &Counter) -> Result<(), &'static str> {
            // example: reject large counters
            if state.n > 1 { Err("too many") } else { Ok(()) }
        }

        let repo = rillflow::AggregateRepository::<Counter>::new(store.events()).with_validator(validate);
        let refused = repo.commit(id, Expected::Any, inc()).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
        Ok(())
    }

    #[tokio::test]
    async fn snapshots() -> TestResult {
        let (_db, store) = support::store().await?;
        let repo = AggregateRepository::<Counter>::new(store.events());
        let id = Uuid::new_v4();
        let agg = repo.load(id).await?;

        // write snapshot every 100 events
        repo.commit_and_snapshot(id, &agg, inc(), 100).await?;
        // fast load using snapshot + tail
        let agg: Counter = repo.load_with_snapshot(id).await?.state;

        assert_eq!(agg.n, 1);
        Ok(())
    }

    #[tokio::test]
    async fn the_snapshotter() -> TestResult {
        let (_db, store) = support::store().await?;

        // For an aggregate `Counter` implementing Aggregate + Serialize
        let repo = rillflow::AggregateRepository::<Counter>::new(store.events());
        let config = SnapshotterConfig { threshold_events: 200, batch_size: 200, ..Default::default() };
        let snap = Snapshotter::new(repo, config);
        snap.run_until_idle().await?;
        Ok(())
    }
}

#[tokio::test]
async fn stream_aliases() -> TestResult {
    let (_db, store) = support::store().await?;

    let id = store.resolve_stream_alias("orders:42").await?;
    store
        .events()
        .append_stream(id, rillflow::Expected::Any, vec![Event::new("OrderPlaced", &serde_json::json!({}))])
        .await?;
    Ok(())
}

mod documents {
    use rillflow::{
        Document, Store,
        query::{CompiledQuery, DocumentQueryContext, Predicate, SortDirection},
    };
    use serde::{Deserialize, Serialize};

    use super::*;

    #[tokio::test]
    async fn document_queries() -> TestResult {
        let (_db, store) = support::store().await?;

        #[derive(serde::Deserialize)]
        struct Customer {
            email: String,
            #[allow(dead_code, reason = "the sample has it")]
            status: String,
        }

        async fn active_customers(store: &Store) -> rillflow::Result<Vec<Customer>> {
            store
                .docs()
                .schemaless()
                .query::<Customer>()
                .filter(Predicate::eq("status", "active"))
                .order_by("email", SortDirection::Asc)
                .page(1, 25)
                .fetch_all()
                .await
        }

        let docs = store.docs().schemaless();
        docs.put(&Uuid::new_v4(), &json!({"email": "a@x", "status": "active"})).await?;
        docs.put(&Uuid::new_v4(), &json!({"email": "b@x", "status": "gone"})).await?;
        let emails: Vec<_> = active_customers(&store).await?.into_iter().map(|it| it.email).collect();
        assert_eq!(emails, ["a@x"]);
        Ok(())
    }

    #[derive(Serialize, Deserialize, Document)]
    #[document(soft_delete)]
    struct Customer {
        #[document(id)]
        id: Uuid,
        email: String,
        tier: String,
    }

    crate::layouts::declared!(Customer);

    #[tokio::test]
    async fn the_document_repository() -> TestResult {
        let (_db, store) = support::store_with(|it| it.document::<Customer>()).await?;

        let id = uuid::Uuid::new_v4();

        // put returns new version (starts at 1)
        let v1 = store.docs().put(&Customer { id, email: "a@x".into(), tier: "free".into() }).await?;

        // get returns (doc, version)
        let (cust, ver) = store.docs().get::<Customer>(&id).await?.unwrap();

        // update with optimistic concurrency
        let v2 = store.docs().update::<Customer>(&id, ver, |c| c.tier = "pro".into()).await?;

        // soft delete / restore (programmatic or via CLI)
        store.docs().delete::<Customer>(&id).await?;
        let v3 = store.docs().restore::<Customer>(&id).await?;

        assert_eq!((v1, ver, v2, cust.tier.as_str()), (1, 1, 2, "free"));
        assert!(v3 > v2);
        Ok(())
    }

    struct VipCustomers;

    impl CompiledQuery<serde_json::Value> for VipCustomers {
        fn configure(&self, ctx: &mut DocumentQueryContext) {
            ctx.filter(Predicate::eq("active", true))
                .filter(Predicate::contains("tags", serde_json::json!(["vip"])))
                .order_by("first_name", SortDirection::Asc)
                .select_fields(&[("email", "email"), ("status", "active")]);
        }
    }

    async fn load_vips(store: &Store) -> rillflow::Result<Vec<serde_json::Value>> {
        store.docs().execute_compiled(VipCustomers).await
    }

    #[tokio::test]
    async fn compiled_queries() -> TestResult {
        let (_db, store) = support::store().await?;
        let vip = json!({"email": "a@x", "active": true, "tags": ["vip"], "first_name": "Kim"});
        store.docs().schemaless().put(&Uuid::new_v4(), &vip).await?;
        assert_eq!(load_vips(&store).await?, [json!({"email": "a@x", "status": true})]);
        Ok(())
    }
}

mod projections {
    use rillflow::projection_runtime::{ProjectionDaemon, ProjectionWorkerConfig, TickResult};
    use rillflow::projections::ProjectionHandler;
    use rillflow::{BoxError, EventEnvelope, RawJson, SchemaConfig, Store};

    use super::*;

    struct MyProjection;

    impl ProjectionHandler for MyProjection {
        async fn apply(
            &self,
            _event_type: &str,
            _body: &RawJson,
            _at: &EventEnvelope,
            _tx: &mut sqlx::Transaction<'_, sqlx::Postgres>,
        ) -> Result<(), BoxError> {
            // mutate your read model using tx
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_projections_runtime() -> TestResult {
        let db = support::Db::create().await?;

        let store = Store::connect(db.url()).await?;
        store.schema().sync(&SchemaConfig::single_tenant()).await?; // ensure tables

        let mut daemon = ProjectionDaemon::new(store.pool().clone(), ProjectionWorkerConfig::default());
        daemon.register("my_projection", MyProjection);
        let ticked = daemon.tick_once("my_projection").await?; // or loop/timer

        assert_eq!(ticked, TickResult::Idle);
        Ok(())
    }

    #[tokio::test]
    async fn the_builder_and_the_idle_runner() -> TestResult {
        let (_db, store) = support::store().await?;
        store.events().append_stream(Uuid::new_v4(), Expected::Any, vec![Event::new("E1", &())]).await?;

        let daemon = ProjectionDaemon::builder(store.pool().clone())
            .schema("public")
            .batch_size(500)
            .register("my_projection", MyProjection)
            .build()?;

        daemon.run_until_idle().await?;

        assert_eq!(daemon.tick_once("my_projection").await?, TickResult::Idle);
        Ok(())
    }
}

#[tokio::test]
async fn advisory_locks_for_append() -> TestResult {
    let (_db, store) = support::store().await?;
    let (stream_id, evt) = (Uuid::new_v4(), Event::new("E1", &()));

    store.events().with_advisory_locks().append_stream(stream_id, rillflow::Expected::Any, vec![evt]).await?;
    Ok(())
}
