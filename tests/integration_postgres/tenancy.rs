use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use rillflow::{
    BoxError, DaemonConfig, Error, Expected, Lifecycle, SchemaConfig, Store, TenancyMode, Tenant, TenantResolver,
    TenantedStore,
};
use uuid::Uuid;

use crate::orders::{Customer, CustomerId, CustomerSales, Order, SalesProjection, customer, placed};
use crate::support::{Db, SOON, TestResult, common_role, tick, until_true};

async fn tenanted(connections: u32) -> Result<(Db, TenantedStore), Box<dyn std::error::Error>> {
    tenanted_by(TenancyMode::SchemaPerTenant, connections).await
}

async fn tenanted_by(mode: TenancyMode, connections: u32) -> Result<(Db, TenantedStore), Box<dyn std::error::Error>> {
    let db = Db::create().await?;
    let url = common_role(&db).await?;
    let builder = Store::builder(url).max_connections(connections).document::<Customer>();
    let builder = builder.projection::<SalesProjection>(Lifecycle::Async).tenants(mode);
    let store = builder.build().await?;
    Ok((db, store))
}

/// Names that something could take for each other.
const NAMES: &[&str] = &[
    "acme",
    "Acme",
    "ACME",
    "acme ",
    " acme",
    "acme_",
    "acme__",
    "acme-",
    "acme_2d",
    "acme.public",
    "acme\"",
    "acme'",
    "acme\";DROP SCHEMA public;--",
    "acme\\",
    "acme/..",
    "public",
    "tenant_acme",
    "ácme",
    "a\u{301}cme",
    "аcme",
    "acmе",
    "ＡＣＭＥ",
    "pg_catalog",
    "$1",
    "%s",
    "acme\n",
    "😀",
];

/// The modes in one database.
fn modes() -> [TenancyMode; 2] {
    [TenancyMode::SchemaPerTenant, TenancyMode::TenantColumn]
}

#[tokio::test]
async fn what_one_tenant_writes_no_other_reads() -> TestResult {
    for mode in modes() {
        writes_are_of_one_tenant(mode).await?;
    }
    Ok(())
}

async fn writes_are_of_one_tenant(mode: TenancyMode) -> TestResult {
    let own_schemas = matches!(mode, TenancyMode::SchemaPerTenant);
    let (_db, store) = tenanted_by(mode, 5).await?;
    let (acme, globex) = (store.ensure_tenant("acme").await?, store.ensure_tenant("globex").await?);
    let id = Uuid::now_v7();
    acme.docs().put(&customer(1)).await?;
    acme.events().append_stream(id, Expected::NoStream, [placed(CustomerId(id), 1)]).await?;
    acme.docs().schemaless().put(&id, &serde_json::json!({"of": "acme"})).await?;

    assert!(globex.docs().get::<Customer>(&customer(1).id).await?.is_none());
    assert!(globex.docs().schemaless().get::<serde_json::Value>(&id).await?.is_none());
    assert!(globex.events().read_all(0, 10).await?.is_empty());
    assert!(globex.events().read_stream(id).await?.is_empty());
    assert_eq!(globex.aggregate::<Order>(id).load().await?.version, 0);
    // the same ids are free there
    let mut session = globex.session();
    session.store(&customer(1))?;
    session.append_to::<Order>(id, Expected::NoStream, [placed(CustomerId(id), 2)])?;
    session.commit().await?;
    assert_ne!(
        acme.resolve_stream_alias("orders:1").await?,
        globex.resolve_stream_alias("orders:1").await?,
        "an alias is of its tenant"
    );
    assert_eq!((acme.name(), acme.schema_name()), ("acme", if own_schemas { "tenant_acme" } else { "public" }));
    Ok(())
}

#[tokio::test]
async fn names_are_never_taken_for_each_other_whatever_they_hold() -> TestResult {
    for mode in modes() {
        names_are_kept_apart(mode).await?;
    }
    Ok(())
}

async fn names_are_kept_apart(mode: TenancyMode) -> TestResult {
    let own_schemas = matches!(mode, TenancyMode::SchemaPerTenant);
    let (_db, store) = tenanted_by(mode, 3).await?;
    for (n, name) in NAMES.iter().enumerate() {
        let tenant = store.ensure_tenant(name).await?;
        tenant.docs().put(&customer(n as i64)).await?;
        tenant.events().append_stream(Uuid::now_v7(), Expected::NoStream, [tick(n as i64)]).await?;
    }
    let mut expected: Vec<_> = NAMES.iter().map(|&name| name.to_owned()).collect();
    expected.sort();
    assert_eq!(store.list_tenants().await?, expected);
    for (n, name) in NAMES.iter().enumerate() {
        let tenant = store.tenant(name).await?;
        assert_eq!(tenant.docs().count::<Customer>().await?, 1, "{name:?}");
        assert!(tenant.docs().get::<Customer>(&customer(n as i64).id).await?.is_some(), "{name:?}");
        let events = tenant.events().read_all(0, 10).await?;
        let place = if own_schemas { 1 } else { n as i64 + 1 }; // one order for all who share tables
        assert_eq!(events.iter().map(|e| e.global_seq).collect::<Vec<_>>(), [place], "{name:?}");
    }
    let longest = if own_schemas { 56 } else { 128 };
    for refused in ["", "a".repeat(longest + 1).as_str(), "ä".repeat(longest / 2 + 1).as_str(), "nul\0"] {
        let refusal = store.ensure_tenant(refused).await.map(drop);
        let known = refused == "nul\0" && refusal.is_ok(); // kept apart by its bytes like any other
        assert!(known || matches!(refusal, Err(Error::TenantName { .. })), "{refused:?}: {refusal:?}");
    }
    Ok(())
}

#[tokio::test]
async fn pooled_connections_carry_nothing_over_not_even_after_errors() -> TestResult {
    for mode in modes() {
        // one connection: whatever one tenant leaves on it, the next one gets
        for connections in [1, 3] {
            nothing_is_carried_over(mode.clone(), connections).await?;
        }
    }
    Ok(())
}

async fn nothing_is_carried_over(mode: TenancyMode, connections: u32) -> TestResult {
    // in a schema of its own nothing depends on the connection, so the application must not leave it in a transaction
    let shares_tables = matches!(mode, TenancyMode::TenantColumn);
    let (db, store) = tenanted_by(mode, connections).await?;
    let administrator = sqlx::PgPool::connect(db.url()).await?;
    let names = ["a", "A", "a_", "a-", "b"];
    for name in names {
        store.ensure_tenant(name).await?;
    }
    let mut dice = 7_u64;
    let mut written: HashMap<(&str, i64), i64> = HashMap::new();
    for round in 0..200_i64 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let name = names[(dice >> 33) as usize % names.len()];
        let tenant = store.tenant(name).await?;
        let n = ((dice >> 40) % 5) as i64;
        match (dice >> 50) % 8 {
            0 => fail(&tenant).await?,
            1 => cancel(&tenant).await,
            2 if shares_tables => leave_a_transaction(&tenant).await,
            3 if shares_tables => meddle(&tenant).await?,
            4 if round % 5 == 0 => end_all_sessions(&administrator).await?,
            5 => {
                // its connection may have been ended
                let _ended = append_and_take_back(&tenant, round).await;
            }
            _ => {
                let mut doc = customer(n);
                doc.score = Some(round as f64);
                doc.tags = vec![name.to_owned()];
                doc.handle = format!("{name}{n}");
                until_it_answers(|| tenant.docs().put(&doc)).await?;
                written.insert((name, n), round);
            }
        }
        let id = customer(n).id;
        let found = until_it_answers(|| tenant.docs().get::<Customer>(&id)).await?;
        let found = found.map(|(doc, _)| (doc.tags, doc.score));
        let expected = written.get(&(name, n)).map(|&round| (vec![name.to_owned()], Some(round as f64)));
        assert_eq!(found, expected, "{name} {n} in round {round}");
    }
    for name in names {
        let tenant = store.tenant(name).await?;
        let own = written.keys().filter(|(of, _)| *of == name).count();
        assert_eq!(tenant.docs().count::<Customer>().await?, own as i64);
        assert!(tenant.events().read_all(0, 10).await?.is_empty(), "each append was taken back");
    }
    Ok(())
}

/// A statement that fails on the tenant's connection.
async fn fail(tenant: &Tenant) -> TestResult {
    let mut twin = customer(99);
    twin.id = CustomerId(Uuid::nil());
    let (first, id) = (customer(99), customer(99).id);
    until_it_answers(|| tenant.docs().put(&first)).await?;
    let refused = until_it_answers(|| tenant.docs().put(&twin)).await;
    assert!(matches!(refused, Err(Error::UniqueViolation { .. })), "{refused:?}");
    until_it_answers(|| tenant.docs().delete::<Customer>(&id)).await?;
    Ok(())
}

/// Calls that are given up in the middle.
async fn cancel(tenant: &Tenant) {
    let id = customer(1).id;
    let query = tenant.docs().get::<Customer>(&id);
    let _given_up = tokio::time::timeout(Duration::from_micros(200), query).await;
    let mut session = tenant.session();
    session.delete::<Customer>(&customer(98).id);
    let _given_up = tokio::time::timeout(Duration::from_micros(300), session.commit()).await;
}

async fn append_and_take_back(tenant: &Tenant, n: i64) -> TestResult {
    let mut tx = tenant.pool().begin().await?;
    tenant.events().append_in_tx(&mut tx, Uuid::now_v7(), Expected::Any, [tick(n)]).await?;
    Ok(tx.rollback().await?)
}

/// A transaction of the application that is given up in the middle of a statement.
async fn leave_a_transaction(tenant: &Tenant) {
    let Ok(mut tx) = tenant.pool().begin().await else { return };
    let slow = sqlx::query("SELECT pg_sleep(0.02)").execute(&mut *tx);
    let _given_up = tokio::time::timeout(Duration::from_millis(1), slow).await;
}

/// What the application's own SQL may do to its connection.
async fn meddle(tenant: &Tenant) -> TestResult {
    for sql in ["SET rillflow.tenant = 'b'", "RESET ALL", "SET rillflow.tenant = ''", "BEGIN", "DISCARD ALL"] {
        let Ok(mut conn) = tenant.pool().acquire().await else { continue };
        sqlx::raw_sql(sql).execute(&mut *conn).await.or_else(passes)?;
    }
    Ok(())
}

/// In a transaction that was left open, not everything can be said.
fn passes(error: sqlx::Error) -> Result<sqlx::postgres::PgQueryResult, sqlx::Error> {
    if error.as_database_error().is_some() { Ok(Default::default()) } else { Err(error) }
}

/// Has the server end the sessions of every store.
async fn end_all_sessions(administrator: &sqlx::PgPool) -> TestResult {
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    sqlx::query(end).execute(administrator).await?;
    Ok(())
}

/// Asks again when the connection turns out to be gone.
async fn until_it_answers<T, F: Future<Output = Result<T, Error>>>(mut ask: impl FnMut() -> F) -> Result<T, Error> {
    let mut tries = 0;
    loop {
        match ask().await {
            Err(Error::Database(_)) if tries < 10 => tries += 1,
            answer => return answer,
        }
    }
}

#[tokio::test]
async fn a_tenant_that_nobody_made_is_a_typed_error() -> TestResult {
    let (_db, store) = tenanted(2).await?;
    let error = store.tenant("acme").await.unwrap_err();
    assert!(matches!(&error, Error::TenantNotFound { tenant } if tenant == "acme"), "{error:?}");
    assert!(store.list_tenants().await?.is_empty());
    store.ensure_tenant("acme").await?;
    assert!(store.tenant("Acme").await.is_err(), "names are not folded");
    Ok(())
}

#[tokio::test]
async fn a_tenant_that_holds_something_is_dropped_by_force_only() -> TestResult {
    let (_db, store) = tenanted(2).await?;
    store.ensure_tenant("empty").await?;
    store.drop_tenant("empty", false).await?;
    let acme = store.ensure_tenant("acme").await?;
    acme.docs().put(&customer(1)).await?;
    store.ensure_tenant("acme2").await?.docs().put(&customer(2)).await?;

    let refused = store.drop_tenant("acme", false).await.unwrap_err();
    assert!(matches!(&refused, Error::TenantNotEmpty { tenant } if tenant == "acme"), "{refused:?}");
    assert_eq!(acme.docs().count::<Customer>().await?, 1);

    store.drop_tenant("acme", true).await?;
    assert_eq!(store.list_tenants().await?, ["acme2"]);
    assert!(matches!(store.tenant("acme").await, Err(Error::TenantNotFound { .. })));
    assert!(matches!(store.drop_tenant("acme", true).await, Err(Error::TenantNotFound { .. })));
    assert!(acme.docs().put(&customer(1)).await.is_err(), "one that is still held finds nothing");
    assert_eq!(store.tenant("acme2").await?.docs().count::<Customer>().await?, 1);
    Ok(())
}

#[tokio::test]
async fn all_tenants_are_brought_up_to_date_and_one_that_fails_stops_no_other() -> TestResult {
    let (db, store) = tenanted(6).await?;
    for name in ["a", "b", "c", "d"] {
        store.ensure_tenant(name).await?;
    }
    let pool = sqlx::PgPool::connect(db.url()).await?;
    sqlx::raw_sql(
        "DROP INDEX tenant_a.docs_customers_email_idx; DROP INDEX tenant_d.docs_customers_email_idx; \
         ALTER SEQUENCE tenant_c.events_global_seq CACHE 20",
    )
    .execute(&pool)
    .await?;
    assert_eq!(store.tenant_status("a").await?.differences, 1);

    let mut told = Vec::new();
    let all = store.migrate_all(&SchemaConfig::single_tenant(), |it| told.push((it.done, it.total))).await?;
    assert_eq!(told, [(1, 4), (2, 4), (3, 4), (4, 4)]);
    let outcome: HashMap<_, _> =
        all.iter().map(|it| (it.name.as_str(), it.result.as_ref().ok().map(|it| it.steps.len()))).collect();
    assert_eq!(outcome, HashMap::from([("a", Some(1)), ("b", Some(0)), ("c", None), ("d", Some(1))]));
    let status = store.tenant_status("a").await?;
    assert_eq!((status.differences, status.position, status.schema.as_str()), (0, 0, "tenant_a"));
    assert!(status.bytes > 0);
    Ok(())
}

#[tokio::test]
async fn one_daemon_serves_all_tenants_on_few_connections() -> TestResult {
    for mode in modes() {
        one_daemon_serves_all(mode).await?;
    }
    Ok(())
}

async fn one_daemon_serves_all(mode: TenancyMode) -> TestResult {
    let (db, store) = tenanted_by(mode, 4).await?;
    let names: Vec<_> = (0..12).map(|n| format!("t{n}")).collect();
    for name in &names[..8] {
        store.ensure_tenant(name).await?;
    }
    let daemon = store.start_daemon(DaemonConfig::default(), 2);
    for name in &names[8..] {
        store.ensure_tenant(name).await?; // later ones join
    }
    let kim = CustomerId(Uuid::from_u128(1));
    let mut positions = Vec::new();
    for (n, name) in names.iter().enumerate() {
        let events = store
            .tenant(name)
            .await?
            .events()
            .append_stream(Uuid::now_v7(), Expected::NoStream, [placed(kim, n as i64)])
            .await?;
        positions.push(events.position());
    }
    for (n, name) in names.iter().enumerate() {
        let tenant = store.tenant(name).await?;
        while tenant.projection_status("customer-sales").await?.is_none() {
            tokio::task::yield_now().await;
        }
        tenant.wait_for("customer-sales", positions[n], SOON).await?;
        let sales = tenant.docs().get::<CustomerSales>(&kim).await?.map(|it| (it.0.orders, it.0.total));
        assert_eq!(sales, Some((1, n as i64)), "{name}");
    }
    // the store's, the daemon's, one that listens, this one; the listener of fewer tenants closes behind its successor
    let few = "SELECT count(*) <= 4 + 2 + 1 + 1 FROM pg_stat_activity WHERE datname = current_database()";
    let looker = sqlx::PgPool::connect(db.url()).await?;
    until_true(&looker, few).await?;
    daemon.shutdown().await;
    Ok(())
}

/// A database for each tenant, where this map says.
struct Databases(Mutex<HashMap<String, String>>);

impl TenantResolver for Databases {
    fn url<'a>(&'a self, tenant: &'a str) -> BoxFuture<'a, Result<Option<String>, BoxError>> {
        async move { Ok(self.0.lock().map_err(|e| e.to_string())?.get(tenant).cloned()) }.boxed()
    }

    fn tenants(&self) -> BoxFuture<'_, Result<Vec<String>, BoxError>> {
        async { Ok(self.0.lock().map_err(|e| e.to_string())?.keys().cloned().collect()) }.boxed()
    }
}

#[tokio::test]
async fn a_database_per_tenant_is_used_in_the_same_way() -> TestResult {
    let (one, two) = (Db::create().await?, Db::create().await?);
    let urls = [("acme", one.url()), ("Acme", two.url())].map(|(name, url)| (name.to_owned(), url.to_owned()));
    let mode = TenancyMode::database_per_tenant(Databases(Mutex::new(urls.into())));
    let builder = Store::builder("postgres://nobody.invalid/x").max_connections(3).document::<Customer>();
    let store = builder.projection::<SalesProjection>(Lifecycle::Async).tenants(mode).build().await?;
    assert!(matches!(store.tenant("acme").await, Err(Error::TenantNotFound { .. })), "not synced yet");
    assert!(matches!(store.ensure_tenant("globex").await, Err(Error::TenantNotFound { .. })));
    let acme = store.ensure_tenant("acme").await?;
    store.migrate_all(&SchemaConfig::single_tenant(), |_| {}).await?;
    assert_eq!(store.list_tenants().await?, ["Acme", "acme"]);

    let daemon = store.start_daemon(DaemonConfig::default(), 2);
    let kim = CustomerId(Uuid::from_u128(1));
    acme.docs().put(&customer(1)).await?;
    let at = acme.events().append_stream(Uuid::now_v7(), Expected::NoStream, [placed(kim, 3)]).await?.position();
    while acme.projection_status("customer-sales").await?.is_none() {
        tokio::task::yield_now().await;
    }
    acme.wait_for("customer-sales", at, SOON).await?;
    let other = store.tenant("Acme").await?;
    assert_eq!(other.docs().count::<Customer>().await?, 0);
    assert!(other.events().read_all(0, 10).await?.is_empty());
    assert!(matches!(store.drop_tenant("acme", true).await, Err(Error::Schema { .. })));
    daemon.shutdown().await;
    Ok(())
}
