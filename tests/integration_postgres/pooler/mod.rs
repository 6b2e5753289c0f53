//! Behind PgBouncer in transaction mode: few servers for many connections, and no session is kept.

mod bouncer;

use std::collections::HashMap;

use futures_util::TryStreamExt;
use rillflow::subscriptions::{SubscriptionFilter, SubscriptionOptions};
use rillflow::{
    Error, Expected, Lifecycle, Message, Pooler, SchemaConfig, Severity, Store, StoreBuilder, TagQuery, TenancyMode,
};
use rillflow_tests::private_server::PrivateServer;
use uuid::Uuid;

use self::bouncer::Bouncer;
use crate::orders::{Customer, CustomerId, CustomerSales, Order, SalesProjection, customer, placed};
use crate::support::{Db, SOON, TestResult, tick, until_somebody_waits, until_true};
use crate::traps::given_up;

fn declared(db: &Db) -> Pooler {
    Pooler::transaction().direct_url(db.url())
}

/// A store through a pooler that has two servers for all.
fn through(bouncer: &Bouncer, db: &Db, pooler: Pooler) -> StoreBuilder {
    let builder = Store::builder(bouncer.url(db.name())).pooler(pooler).max_connections(6);
    builder.document::<Customer>().projection::<SalesProjection>(Lifecycle::Async)
}

/// A pooler of two servers, before a database of its own, and as what it may be declared.
async fn poolers() -> Result<Vec<(Db, Bouncer, Pooler)>, Box<dyn std::error::Error>> {
    let mut all = Vec::new();
    for keeps in [false, true] {
        let db = Db::create().await?;
        let Some(bouncer) = Bouncer::start(db.url(), 2, "").await? else { break };
        match keeps {
            false => all.push((declared(&db), db, bouncer)),
            true if bouncer.keeps_statements() => all.push((declared(&db).keeps_prepared_statements(), db, bouncer)),
            true => println!("skipped: this pooler does not keep prepared statements"),
        }
    }
    Ok(all.into_iter().map(|(pooler, db, bouncer)| (db, bouncer, pooler)).collect())
}

#[tokio::test]
async fn documents_sessions_aggregates_and_tags_work_behind_a_pooler() -> TestResult {
    for (db, bouncer, pooler) in poolers().await? {
        everything_works(&through(&bouncer, &db, pooler).build().await?).await?;
    }
    Ok(())
}

async fn everything_works(store: &Store) -> TestResult {
    store.schema().sync(&SchemaConfig::single_tenant()).await?;
    assert!(store.schema().plan(&SchemaConfig::single_tenant()).await?.is_empty());

    let docs = store.docs();
    docs.bulk_insert((1..=300).map(customer)).run().await?;
    docs.put(&customer(1)).await?;
    docs.patch::<Customer>(&customer(2).id, |c, p| p.set(c.email, "new@example.com")).await?;
    let refused = docs.replace(&customer(1), 1).await;
    assert!(matches!(refused, Err(Error::DocVersionConflict { actual: 2, .. })), "{refused:?}");
    let found = docs.query::<Customer>().filter(|c| c.email.eq("new@example.com")).fetch_all().await?;
    assert_eq!(found.len(), 1);
    let streamed: Vec<Customer> = docs.query::<Customer>().fetch().try_collect().await?;
    assert_eq!(streamed.len(), 300);

    let mut session = store.session();
    session.store(&customer(301))?;
    session.append(Uuid::now_v7(), Expected::NoStream, [tick(1), tick(2)])?;
    session.publish_message(Message::new("topic", "key", &1))?;
    session.commit().await?;
    assert_eq!(store.outbox().read(0, 10).await?.len(), 1);

    let order = Uuid::now_v7();
    store.events().append_stream(order, Expected::NoStream, [placed(CustomerId::default(), 3)]).await?;
    store.aggregate::<Order>(order).decide(|order| order.ship("1Z")).await?;
    assert_eq!(store.aggregate::<Order>(order).load().await?.version, 2);
    let again = store.events().append_stream(order, Expected::NoStream, [tick(3)]).await;
    assert!(matches!(again, Err(Error::VersionConflict { actual: 2, .. })), "{again:?}");

    let tagged = tick(4).with_tag("course", &7);
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tagged]).await?;
    assert_eq!(store.events().all().tags(TagQuery::tag("course", &7)).fetch_all().await?.len(), 1);
    let findings = store.diagnose().await?;
    let pooler = findings.iter().find(|it| it.check == "pooler");
    assert_eq!(pooler.map(|it| it.severity), Some(Severity::Ok), "{findings:?}");
    Ok(())
}

#[tokio::test]
async fn many_clients_on_two_servers_lose_nothing_and_keep_the_order() -> TestResult {
    for (db, bouncer, pooler) in poolers().await? {
        many_clients(&bouncer, &db, pooler).await?;
    }
    Ok(())
}

async fn many_clients(bouncer: &Bouncer, db: &Db, pooler: Pooler) -> TestResult {
    const STORES: usize = 6;
    const STREAMS: usize = 8;
    const EVENTS: i64 = 25;
    let first = through(bouncer, db, pooler.clone()).build().await?;
    first.schema().sync(&SchemaConfig::single_tenant()).await?;
    let kim = CustomerId::default();
    let daemon = first.start_daemon().await?;
    let options = SubscriptionOptions::default().manual();
    let (handle, mut rx) = first.subscriptions().subscribe("all", SubscriptionFilter::default(), options).await?;

    let mut writers = Vec::new();
    for _ in 0..STORES {
        let store = through(bouncer, db, pooler.clone()).build().await?;
        for _ in 0..STREAMS {
            let store = store.clone();
            writers.push(tokio::spawn(async move {
                let stream = Uuid::now_v7();
                let mut last = 0;
                for n in 0..EVENTS {
                    let appended = store.events().append_stream(stream, Expected::Exact(n), [placed(kim, 1)]).await?;
                    last = appended.position();
                    // a question of another shape on the same connections
                    store.docs().get::<CustomerSales>(&kim).await?;
                }
                Ok::<i64, Error>(last)
            }));
        }
    }
    let total = STORES * STREAMS * EVENTS as usize;
    let mut versions: HashMap<Uuid, i64> = HashMap::new();
    let mut before = 0;
    for _ in 0..total {
        let event = tokio::time::timeout(SOON, rx.recv()).await?.ok_or("the subscription goes on")?;
        let version = versions.entry(event.stream_id.0).or_default();
        assert_eq!(event.stream_seq, *version + 1, "in the order of its stream, without a gap");
        assert!(event.global_seq > before, "in the order of the log");
        (*version, before) = (event.stream_seq, event.global_seq);
        handle.ack(event.global_seq).await?;
    }
    let mut highest = 0;
    for writer in writers {
        highest = highest.max(writer.await??);
    }
    assert_eq!((handle.checkpoint().await?, versions.len()), (highest, STORES * STREAMS));
    first.wait_for("customer-sales", highest, SOON).await?;
    let sales = first.docs().get::<CustomerSales>(&kim).await?.ok_or("the read model")?.0;
    assert_eq!(sales.orders, total as i64, "each once");
    assert!(sales.positions.is_sorted());
    handle.shutdown().await?;
    daemon.shutdown().await;

    let servers: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
         AND backend_type = 'client backend' AND query NOT LIKE 'LISTEN%'",
    )
    .fetch_one(&sqlx::PgPool::connect(db.url()).await?)
    .await?;
    assert!(servers <= 2, "{servers} servers");
    Ok(())
}

#[tokio::test]
async fn calls_given_up_at_any_moment_keep_no_server_of_the_pooler() -> TestResult {
    for (db, bouncer, pooler) in poolers().await? {
        let store = through(&bouncer, &db, pooler).build().await?;
        store.schema().sync(&SchemaConfig::single_tenant()).await?;
        let direct = sqlx::PgPool::connect(db.url()).await?;
        let none_open = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity \
                         WHERE datname = current_database() AND state = 'idle in transaction')";
        for polls in (1..6).cycle().take(20) {
            given_up(polls, store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1)])).await;
            until_true(&direct, none_open).await?;
            given_up(polls, store.docs().count::<Customer>()).await;
            until_true(&direct, none_open).await?;
        }
        // every connection of the store, while the pooler has two servers
        let all = (0..12).map(|_| async { store.docs().count::<Customer>().await });
        tokio::time::timeout(SOON, futures_util::future::try_join_all(all)).await??;
    }
    Ok(())
}

#[tokio::test]
async fn tenants_share_a_pooler() -> TestResult {
    for (db, bouncer, pooler) in poolers().await? {
        tenants_share(&bouncer, &db, pooler).await?;
    }
    Ok(())
}

async fn tenants_share(bouncer: &Bouncer, db: &Db, pooler: Pooler) -> TestResult {
    let store = through(bouncer, db, pooler.clone()).tenants(TenancyMode::SchemaPerTenant).build().await?;
    let daemon = store.start_daemon(Default::default(), 2);
    for name in ["acme", "globex", "Acme"] {
        let tenant = store.ensure_tenant(name).await?;
        let kim = CustomerId::default();
        let appended = tenant.events().append_stream(Uuid::now_v7(), Expected::Any, [placed(kim, 2)]).await?;
        assert_eq!(appended.position(), 1, "{name} begins by itself");
        tenant.wait_for("customer-sales", 1, SOON).await?;
        assert_eq!(tenant.docs().count::<CustomerSales>().await?, 1);
    }
    daemon.shutdown().await;

    let refused =
        through(bouncer, db, pooler).tenants(TenancyMode::TenantColumn).build().await.expect_err("it sets sessions");
    assert!(matches!(&refused, Error::Pooler { help, .. } if help.contains("session mode")), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn without_a_way_past_the_pooler_events_are_polled_for_and_a_sync_says_what_to_set() -> TestResult {
    let db = Db::create().await?;
    let Some(bouncer) = Bouncer::start(db.url(), 2, "").await? else { return Ok(()) };
    let alone = || Store::builder(bouncer.url(db.name())).pooler(Pooler::transaction());
    let store = alone().build().await?;
    let refused = store.schema().sync(&SchemaConfig::single_tenant()).await.unwrap_err();
    assert!(matches!(&refused, Error::Pooler { help, .. } if help.contains("direct_url")), "{refused:?}");
    Store::connect(db.url()).await?.schema().sync(&SchemaConfig::single_tenant()).await?;
    store.schema().sync(&SchemaConfig::single_tenant()).await?;

    let (_handle, mut rx) =
        store.subscriptions().subscribe("all", SubscriptionFilter::default(), SubscriptionOptions::default()).await?;
    let other = alone().build().await?;
    for n in 0..3 {
        other.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(n)]).await?;
        tokio::time::timeout(SOON, rx.recv()).await?.ok_or("an event")?;
    }
    let findings = store.diagnose().await?;
    assert!(findings.iter().any(|it| it.check == "pooler" && it.fix.contains("direct_url")), "{findings:?}");
    Ok(())
}

#[tokio::test]
async fn a_pooler_that_nobody_declared_is_told_by_name() -> TestResult {
    let db = Db::create().await?;
    let Some(bouncer) = Bouncer::start(db.url(), 2, "").await? else { return Ok(()) };
    let refused = Store::connect(&bouncer.url(db.name())).await.unwrap_err();
    assert!(matches!(&refused, Error::Pooler { help, .. } if help.contains("pooler(")), "{refused:?}");

    let Some(lenient) = Bouncer::start(db.url(), 2, "ignore_startup_parameters = extra_float_digits").await? else {
        return Ok(());
    };
    let store = Store::connect(&lenient.url(db.name())).await?;
    let findings = store.diagnose().await?;
    assert_eq!(findings.iter().map(|it| (it.check, it.severity)).collect::<Vec<_>>(), [("pooler", Severity::Critical)]);
    assert!(findings[0].fix.contains("direct_url"), "{findings:?}");
    let refused = store.schema().sync(&SchemaConfig::single_tenant()).await.unwrap_err();
    assert!(matches!(&refused, Error::Pooler { help, .. } if help.contains("direct_url")), "{refused:?}");

    let direct = Store::connect(db.url()).await?;
    let locks = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted");
    assert_eq!(locks.fetch_one(direct.pool()).await?, 0, "none that the pooler's server would keep");
    direct.schema().sync(&SchemaConfig::single_tenant()).await?;
    assert!(direct.diagnose().await?.iter().all(|it| it.check != "pooler"), "where there is none, none is found");
    Ok(())
}

#[tokio::test]
async fn a_pooler_that_does_not_keep_prepared_statements_is_refused_as_one_that_does() -> TestResult {
    let db = Db::create().await?;
    let Some(able) = Bouncer::start(db.url(), 2, "").await? else { return Ok(()) };
    // those that are able to are told not to; others do not know the setting
    let told = if able.keeps_statements() { "max_prepared_statements = 0" } else { "" };
    let Some(bouncer) = Bouncer::start(db.url(), 2, told).await? else { return Ok(()) };
    let builder = Store::builder(bouncer.url(db.name())).pooler(declared(&db).keeps_prepared_statements());
    let refused = builder.build().await.unwrap_err();
    assert!(matches!(&refused, Error::Pooler { help, .. } if help.contains("max_prepared_statements")), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn an_append_whose_server_dies_behind_the_pooler_has_an_unknown_outcome() -> TestResult {
    for keeps in [false, true] {
        let Some(mut server) = PrivateServer::start(&[]).await? else { return Ok(()) };
        let url = server.create_database("crash").await?;
        let Some(bouncer) = Bouncer::start(&url, 4, "").await? else { return Ok(()) };
        let pooler = Pooler::transaction().direct_url(&url);
        let pooler = if keeps && bouncer.keeps_statements() { pooler.keeps_prepared_statements() } else { pooler };
        let (direct, held) = (Store::connect(&url).await?, Uuid::now_v7());
        direct.schema().sync(&SchemaConfig::single_tenant()).await?;
        let store = Store::builder(bouncer.url("crash")).pooler(pooler).build().await?;
        let mut open = direct.pool().begin().await?;
        direct.events().append_in_tx(&mut open, held, Expected::Any, [tick(0)]).await?;
        let waits = tokio::spawn(async move { store.events().append_stream(held, Expected::Any, [tick(1)]).await });
        until_somebody_waits(direct.pool()).await?;
        server.kill()?;
        let answer = waits.await?;
        assert!(matches!(answer, Err(Error::OutcomeUnknown { .. })), "keeps statements {keeps}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_direct_url_that_cannot_be_read_is_an_error_of_the_builder() -> TestResult {
    let builder = Store::builder("postgres:///x").pooler(Pooler::transaction().direct_url("nonsense"));
    assert!(matches!(builder.build().await, Err(Error::Database(_))));
    Ok(())
}
