//! Tenants in the rows of the same tables. What all modes have in common is in `tenancy`.

use std::time::Duration;

use rillflow::{
    BulkMode, Error, Expected, Lifecycle, Query, SchemaConfig, Store, TenancyMode, Tenant, TenantedStore,
    compiled_query,
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::orders::{Customer, CustomerId, CustomerSales, SalesProjection, customer, placed};
use crate::support::{Db, SOON, TestResult, common_role, statements_sent, tick};

async fn shared(connections: u32) -> Result<(Db, TenantedStore), Box<dyn std::error::Error>> {
    let db = Db::create().await?;
    let builder = Store::builder(common_role(&db).await?).max_connections(connections).document::<Customer>();
    let builder = builder.projection::<SalesProjection>(Lifecycle::Async).tenants(TenancyMode::TenantColumn);
    Ok((db, builder.build().await?))
}

/// The tables that are nobody's: what is known of the schema, the one global order, and the list of tenants.
const OF_NO_TENANT: &[&str] =
    &["event_epochs", "event_marks", "rillflow_migrations", "rillflow_syncs", "rillflow_tenants"];

/// Every table of ours but those, as the catalog has them: one that is new is among them.
async fn tables(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    let all = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
               AND relname <> ALL ($1) ORDER BY 1";
    sqlx::query_scalar(all).bind(OF_NO_TENANT).fetch_all(pool).await
}

async fn rows(pool: &PgPool, table: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM \"{table}\""))).fetch_one(pool).await
}

/// Whether row level security refused a write.
fn is_refused<T: std::fmt::Debug>(result: &Result<T, sqlx::Error>) -> bool {
    let code = result.as_ref().err().and_then(|error| error.as_database_error()?.code().map(|it| it.into_owned()));
    // no such setting, not null, a policy
    matches!(code.as_deref(), Some("42704" | "23502" | "42501"))
}

/// Something of every kind, for one tenant.
async fn fill(tenant: &Tenant, n: i64) -> Result<i64, Box<dyn std::error::Error>> {
    tenant.docs().put(&customer(n)).await?;
    tenant.docs().schemaless().put(&Uuid::now_v7(), &serde_json::json!({"n": n})).await?;
    tenant.resolve_stream_alias("orders:1").await?;
    let id = Uuid::now_v7();
    tenant.events().builder(id).idempotency_key("once").push(tick(n)).send().await?;
    let gone = Uuid::now_v7();
    tenant.events().append_stream(gone, Expected::NoStream, [tick(n)]).await?;
    tenant.events().delete_stream(gone).await?;
    tenant.outbox().publish(rillflow::Message::new("orders", n, &n)).await?;
    let sale = tenant.events().append_stream(Uuid::now_v7(), Expected::NoStream, [placed(CustomerId(id), n)]).await?;
    let daemon = tenant.start_daemon().await?;
    while tenant.projection_status("customer-sales").await?.is_none() {
        tokio::task::yield_now().await;
    }
    tenant.wait_for("customer-sales", sale.position(), SOON).await?;
    daemon.shutdown().await;
    let (handle, mut rx) = tenant.subscriptions().subscribe("all", Default::default(), manual()).await?;
    let (first, second) = (rx.recv().await.ok_or("an event")?, rx.recv().await.ok_or("another")?);
    handle.nack(first.global_seq, Duration::from_secs(3600), "not now").await?;
    handle.dead_letter(second.global_seq, "never").await?;
    handle.shutdown().await?;
    Ok(sale.position())
}

fn manual() -> rillflow::subscriptions::SubscriptionOptions {
    rillflow::subscriptions::SubscriptionOptions::default().manual()
}

#[tokio::test]
async fn a_sync_leaves_nothing_to_plan() -> TestResult {
    let (_db, store) = shared(3).await?;
    let (acme, globex) = (store.ensure_tenant("acme").await?, store.ensure_tenant("globex").await?);
    // without what the sync remembers the comparison is a whole one
    sqlx::raw_sql("DELETE FROM rillflow_syncs").execute(acme.pool()).await?;
    let plan = acme.schema().plan(&SchemaConfig::single_tenant()).await?;
    assert!(plan.is_empty(), "{plan}");
    assert_eq!(acme.schema().sync(&SchemaConfig::single_tenant()).await?.steps, [] as [String; 0]);

    // whoever lets a table go is found out, and it is mended
    sqlx::raw_sql(
        "DROP POLICY rillflow_tenant ON streams; ALTER TABLE events NO FORCE ROW LEVEL SECURITY; \
         ALTER POLICY rillflow_tenant ON docs USING (true) WITH CHECK (true)",
    )
    .execute(acme.pool())
    .await?;
    // looked at whenever a connection is set, so by a tenant that none is set to yet
    let unguarded = globex.docs().count::<Customer>().await;
    assert!(matches!(&unguarded, Err(Error::RowSecurityBypassed { .. })), "the owner would see all: {unguarded:?}");
    let schema = store.schema().ok_or("a schema of all")?;
    assert!(schema.assert(&SchemaConfig::single_tenant()).await.is_err());
    let mended = schema.sync(&SchemaConfig::single_tenant()).await?;
    assert_eq!(mended.steps.len(), 3, "{mended:?}");
    acme.schema().assert(&SchemaConfig::single_tenant()).await?;
    Ok(())
}

#[tokio::test]
async fn a_migration_reaches_the_rows_of_all_tenants_and_parts_them_again() -> TestResult {
    let (db, store) = shared(4).await?;
    for name in ["acme", "globex"] {
        let tenant = store.ensure_tenant(name).await?;
        let (handle, _rx) = tenant.subscriptions().subscribe("all", Default::default(), manual()).await?;
        handle.shutdown().await?;
    }
    // the step of a migration that is pending, with a short one in its place
    let administrator = PgPool::connect(db.url()).await?;
    sqlx::raw_sql("DELETE FROM rillflow_migrations WHERE version = 11; DELETE FROM rillflow_syncs")
        .execute(&administrator)
        .await?;
    let plan = store.schema().ok_or("a schema of all")?.plan(&SchemaConfig::single_tenant()).await?;
    let step = plan.steps.iter().find(|it| it.description.starts_with("migration 0011")).ok_or("a step")?.sql();
    let before = step.rfind("$off$").ok_or("the rows of all are seen first")? + "$off$".len();
    let after = step.find("CREATE TABLE IF NOT EXISTS public.rillflow_tenants").ok_or("and parted again")?;
    let short = "UPDATE subscription_partitions SET token = 77";
    let step = format!("{};\n{short};\n{}", &step[..before], &step[after..]);
    let unset = PgPool::connect(&common_role(&db).await?).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(step)).execute(&unset).await?;
    let tokens = "SELECT tenant, token FROM subscription_partitions ORDER BY tenant";
    let tokens: Vec<(String, i64)> = sqlx::query_as(tokens).fetch_all(&administrator).await?;
    assert_eq!(tokens, [("acme".to_owned(), 77), ("globex".to_owned(), 77)]);
    assert_eq!(rows(&unset, "subscription_partitions").await?, 0);
    Ok(())
}

#[tokio::test]
async fn without_a_setting_no_row_is_seen_and_none_is_written() -> TestResult {
    let (db, store) = shared(5).await?;
    let acme = store.ensure_tenant("acme").await?;
    fill(&acme, 1).await?;
    store.ensure_tenant("globex").await?;
    let administrator = PgPool::connect(db.url()).await?;
    let tables = tables(&administrator).await?;
    let unset = PgPool::connect(&common_role(&db).await?).await?;
    let mut filled = 0;
    for table in &tables {
        let guarded = "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = $1::regclass";
        assert!(sqlx::query_scalar::<_, bool>(guarded).bind(table).fetch_one(&administrator).await?, "{table}");
        filled += i64::from(rows(&administrator, table).await? > 0);
        for setting in
            ["", "SET rillflow.tenant = ''", "SET rillflow.tenant = 'globex'", "SET rillflow.tenant = 'Acme'"]
        {
            let mut conn = unset.acquire().await?.detach();
            sqlx::raw_sql(setting).execute(&mut conn).await?;
            let count = format!("SELECT count(*) FROM \"{table}\"");
            let seen: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&mut conn).await?;
            assert_eq!(seen, 0, "{table} {setting}");
            let deleted = format!("DELETE FROM \"{table}\"");
            let deleted = sqlx::query(sqlx::AssertSqlSafe(deleted)).execute(&mut conn).await?;
            assert_eq!(deleted.rows_affected(), 0, "{table} {setting}");
        }
        // a row of acme's, as an administrator sees it, is taken from nobody else
        let columns = "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute WHERE attrelid = $1::regclass \
                       AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity = ''";
        let columns: String = sqlx::query_scalar(columns).bind(table).fetch_one(&administrator).await?;
        let text = format!("SELECT row_to_json(it)::text FROM (SELECT {columns} FROM \"{table}\" LIMIT 1) AS it");
        let Some(row) =
            sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(text)).fetch_optional(&administrator).await?
        else {
            continue;
        };
        let write = format!(
            "INSERT INTO \"{table}\" ({columns}) SELECT {columns} FROM json_populate_record(NULL::\"{table}\", $1::text::json)"
        );
        for setting in ["SELECT 1", "SET rillflow.tenant = ''", "SET rillflow.tenant = 'globex'"] {
            let mut conn = unset.acquire().await?.detach();
            sqlx::raw_sql(setting).execute(&mut conn).await?;
            let written = sqlx::query(sqlx::AssertSqlSafe(write.clone())).bind(&row).execute(&mut conn).await;
            assert!(is_refused(&written), "{table} {setting} {written:?}");
        }
    }
    assert!(filled >= 14, "{filled} of {tables:?} held anything");
    Ok(())
}

#[tokio::test]
async fn a_role_that_passes_row_security_is_refused() -> TestResult {
    let (db, store) = shared(2).await?;
    store.ensure_tenant("acme").await?;
    let builder = || Store::builder(db.url()).document::<Customer>().tenants(TenancyMode::TenantColumn);
    let refused = builder().build().await.unwrap_err();
    assert!(matches!(&refused, Error::RowSecurityBypassed { .. }), "{refused:?}");

    let administrators = builder().for_schema_work().build().await?;
    let schema = administrators.schema().ok_or("a schema of all")?;
    schema.assert(&SchemaConfig::single_tenant()).await?;
    administrators.ensure_tenant("globex").await?;
    let globex = administrators.tenant("globex").await?;
    let refused = globex.docs().count::<Customer>().await;
    assert!(matches!(&refused, Err(Error::RowSecurityBypassed { .. })), "{refused:?}");
    assert!(globex.pool().acquire().await.is_err(), "nor by the application's own SQL");
    assert_eq!(store.list_tenants().await?, ["acme", "globex"]);
    Ok(())
}

#[tokio::test]
async fn neither_kind_of_schema_becomes_the_other() -> TestResult {
    let (db, store) = shared(2).await?;
    store.ensure_tenant("acme").await?;
    let alone = Store::builder(common_role(&db).await?).document::<Customer>().build().await?;
    let refused = alone.schema().sync(&SchemaConfig::single_tenant()).await.unwrap_err();
    assert!(refused.to_string().contains("TenancyMode::TenantColumn"), "{refused}");
    assert!(alone.schema().plan(&SchemaConfig::single_tenant()).await.is_err());
    assert!(alone.docs().put(&customer(1)).await.is_err());
    assert_eq!(alone.docs().count::<Customer>().await?, 0);

    let db = Db::create().await?;
    let url = common_role(&db).await?;
    let alone = Store::builder(&url).document::<Customer>().build().await?;
    alone.schema().sync(&SchemaConfig::single_tenant()).await?;
    alone.docs().put(&customer(1)).await?;
    let shared = Store::builder(&url).document::<Customer>().tenants(TenancyMode::TenantColumn).build().await?;
    let refused = shared.ensure_tenant("acme").await.unwrap_err();
    assert!(matches!(&refused, Error::Schema { .. }) && refused.to_string().contains("schema(.."), "{refused}");
    assert!(matches!(shared.tenant("acme").await, Err(Error::TenantNotFound { .. })));
    assert_eq!(alone.docs().count::<Customer>().await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_transaction_of_another_tenant_is_refused() -> TestResult {
    let (db, store) = shared(4).await?;
    let (acme, globex) = (store.ensure_tenant("acme").await?, store.ensure_tenant("globex").await?);
    let mut tx = globex.pool().begin().await?;
    let refused = acme.events().append_in_tx(&mut tx, Uuid::now_v7(), Expected::Any, [tick(1)]).await;
    assert!(matches!(&refused, Err(Error::NotOfTenant { tenant }) if tenant == "acme"), "{refused:?}");
    let mut session = acme.session();
    session.store(&customer(1))?;
    assert!(matches!(session.commit_in_tx(&mut tx).await, Err(Error::NotOfTenant { .. })));
    globex.events().append_in_tx(&mut tx, Uuid::now_v7(), Expected::Any, [tick(2)]).await?;
    tx.commit().await?;

    // one that is nobody's becomes this tenant's, until it ends
    let nobodys = PgPool::connect(&common_role(&db).await?).await?;
    let mut conn = nobodys.acquire().await?;
    let mut tx = sqlx::Connection::begin(&mut *conn).await?;
    acme.events().append_in_tx(&mut tx, Uuid::now_v7(), Expected::Any, [tick(3)]).await?;
    assert!(matches!(session_of(&globex)?.commit_in_tx(&mut tx).await, Err(Error::NotOfTenant { .. })));
    tx.commit().await?;
    assert_eq!(sqlx::query_scalar::<_, i64>("SELECT count(*) FROM events").fetch_one(&mut *conn).await?, 0);
    let of = |tenant: Tenant| async move { Ok::<_, Error>(tenant.events().read_all(0, 10).await?.len()) };
    assert_eq!((of(acme).await?, of(globex).await?), (1, 1));
    Ok(())
}

fn session_of(tenant: &Tenant) -> Result<rillflow::Session, Error> {
    let mut session = tenant.session();
    session.store(&customer(1))?;
    Ok(session)
}

#[tokio::test]
async fn a_tenant_is_dropped_with_every_row_of_it_and_of_no_other() -> TestResult {
    let (db, store) = shared(4).await?;
    let (acme, globex) = (store.ensure_tenant("acme").await?, store.ensure_tenant("globex").await?);
    fill(&acme, 1).await?;
    fill(&globex, 1).await?;
    let administrator = PgPool::connect(db.url()).await?;
    let count = async || {
        let mut all = Vec::new();
        for table in tables(&administrator).await? {
            let each = format!("SELECT tenant, count(*) FROM \"{table}\" GROUP BY tenant ORDER BY tenant");
            let each: Vec<(String, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(each)).fetch_all(&administrator).await?;
            all.extend(each.into_iter().map(|(tenant, rows)| (tenant, table.clone(), rows)));
        }
        Ok::<_, sqlx::Error>(all)
    };
    let before = count().await?;
    assert!(matches!(store.drop_tenant("acme", false).await, Err(Error::TenantNotEmpty { .. })));
    assert_eq!(count().await?, before);

    // a writer that began before is waited for, and what it writes goes too
    let mut writing = acme.pool().begin().await?;
    acme.events().append_in_tx(&mut writing, Uuid::now_v7(), Expected::Any, [tick(9)]).await?;
    let dropping = tokio::spawn({
        let store = store.clone();
        async move { store.drop_tenant("acme", true).await }
    });
    crate::support::until_somebody_waits(&administrator).await?;
    writing.commit().await?;
    dropping.await??;
    let globexs: Vec<_> = before.into_iter().filter(|(tenant, ..)| tenant == "globex").collect();
    assert_eq!(count().await?, globexs);
    assert_eq!(store.list_tenants().await?, ["globex"]);
    let late = acme.docs().put(&customer(2)).await;
    assert!(matches!(&late, Err(Error::NotTheTenants)), "who still holds it writes nothing: {late:?}");
    assert!(acme.docs().get::<Customer>(&customer(1).id).await?.is_none());

    // its name is free, and it is another one
    let anew = store.ensure_tenant("acme").await?;
    assert_eq!(anew.docs().count::<Customer>().await?, 0);
    anew.docs().put(&customer(2)).await?;
    Ok(())
}

#[tokio::test]
async fn a_bulk_insert_says_which_document_was_there() -> TestResult {
    let (_db, store) = shared(3).await?;
    let (acme, globex) = (store.ensure_tenant("acme").await?, store.ensure_tenant("globex").await?);
    globex.docs().put(&customer(2)).await?;
    let done = acme.docs().bulk_insert((0..5).map(customer)).run().await?;
    assert_eq!((done.sent, done.written), (5, 5));
    let refused = acme.docs().bulk_insert((4..9).map(customer)).run().await;
    let taken = customer(4).id.0.to_string();
    assert!(matches!(&refused, Err(Error::AlreadyExists { id, .. }) if *id == taken), "{refused:?}");
    let twice = acme.docs().bulk_insert([customer(7), customer(7)]).run().await;
    assert!(matches!(&twice, Err(Error::AlreadyExists { .. } | Error::UniqueViolation { .. })), "{twice:?}");
    assert_eq!(acme.docs().count::<Customer>().await?, 5);
    let over = acme.docs().bulk_insert((4..6).map(customer)).mode(BulkMode::Overwrite).run().await?;
    assert_eq!(over.written, 2);
    assert_eq!(globex.docs().count::<Customer>().await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_reference_does_not_reach_another_tenants_row() -> TestResult {
    let (_db, store) = shared(3).await?;
    let (acme, globex) = (store.ensure_tenant("acme").await?, store.ensure_tenant("globex").await?);
    // foreign keys are checked in the name of the table's owner, whom nothing would keep from looking
    acme.subscriptions().create_or_update("all", &Default::default(), &Default::default()).await?;
    let refer = "INSERT INTO subscription_groups (subscription, group_name, partitions) VALUES ('all', 'x', 1)";
    let refused = sqlx::query(refer).execute(globex.pool()).await;
    let code = refused.err().and_then(|error| error.as_database_error()?.code().map(|it| it.into_owned()));
    assert_eq!(code.as_deref(), Some("23503"));
    sqlx::query(refer).execute(acme.pool()).await?;
    // and what goes with it are its own rows
    globex.subscriptions().create_or_update("all", &Default::default(), &Default::default()).await?;
    sqlx::query(refer).execute(globex.pool()).await?;
    assert!(acme.subscriptions().delete("all").await?);
    assert_eq!(
        (rows(acme.pool(), "subscription_groups").await?, rows(globex.pool(), "subscription_groups").await?),
        (0, 1)
    );
    Ok(())
}

#[tokio::test]
async fn a_rebuild_begins_anew_where_it_is_and_touches_no_other_tenant() -> TestResult {
    let (_db, store) = shared(4).await?;
    let (acme, globex) = (store.ensure_tenant("acme").await?, store.ensure_tenant("globex").await?);
    fill(&acme, 1).await?;
    fill(&globex, 2).await?;
    let before = globex.docs().query::<CustomerSales>().fetch_all().await?;
    sqlx::raw_sql("UPDATE docs_customer_sales SET doc = jsonb_set(doc, '{total}', '77')").execute(acme.pool()).await?;
    acme.projections().rebuild("customer-sales", |_| {}).await?;
    let rebuilt = acme.docs().query::<CustomerSales>().fetch_all().await?;
    assert_eq!(rebuilt.iter().map(|it| it.total).collect::<Vec<_>>(), [1]);
    let after = globex.docs().query::<CustomerSales>().fetch_all().await?;
    assert_eq!(
        after.iter().map(|it| it.total).collect::<Vec<_>>(),
        before.iter().map(|it| it.total).collect::<Vec<_>>()
    );
    Ok(())
}

#[compiled_query(allow(scan))]
fn of_email(email: &str) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.email == email)
}

/// What row level security does to indexes: the book says so, and a PostgreSQL that does better will tell here.
#[tokio::test]
async fn events_are_found_by_their_keys_and_documents_by_id_among_many_tenants() -> TestResult {
    let (db, store) = shared(3).await?;
    let acme = store.ensure_tenant("acme").await?;
    store.ensure_tenant("globex").await?;
    let administrator = PgPool::connect(db.url()).await?;
    sqlx::raw_sql(
        "SET rillflow.tenant = 'globex'; \
         INSERT INTO streams (stream_id, category, version, tenant) \
         SELECT gen_random_uuid(), 'x', 1, CASE n % 2 WHEN 0 THEN 'acme' ELSE 'globex' END FROM generate_series(1, 20000) n; \
         INSERT INTO events (stream_id, stream_seq, event_id, type, data, tenant) \
         SELECT stream_id, 1, gen_random_uuid(), 'x', '1', tenant FROM streams; \
         INSERT INTO docs_customers (id, doc, tenant) \
         SELECT gen_random_uuid(), jsonb_build_object('email', 'c' || n || '@example.com', 'handle', 'h' || n), \
            CASE n % 2 WHEN 0 THEN 'acme' ELSE 'globex' END FROM generate_series(1, 20000) n; \
         ANALYZE streams, events, docs_customers",
    )
    .execute(&administrator)
    .await?;
    let explain = async |sql: &str| {
        let lines = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(format!("EXPLAIN {sql}")));
        Ok::<_, sqlx::Error>(lines.fetch_all(acme.pool()).await?.join("\n"))
    };
    let id = "'00000000-0000-0000-0000-000000000001'::uuid";
    for (sql, index) in [
        (
            format!("SELECT data FROM events WHERE stream_id = {id} AND stream_seq > 3 ORDER BY stream_seq"),
            "events_stream_seq_key",
        ),
        (
            "SELECT data FROM events WHERE global_seq > 100 AND global_seq <= 900 ORDER BY global_seq LIMIT 50"
                .to_owned(),
            "events_pkey",
        ),
        (format!("SELECT version FROM streams WHERE stream_id = {id}"), "streams_pkey"),
        (format!("SELECT doc FROM docs_customers WHERE id = {id}"), "docs_customers_pkey"),
    ] {
        let plan = explain(&sql).await?;
        assert!(plan.contains(index) && !plan.contains("Sort"), "{sql}\n{plan}");
    }
    // a field with a column of its own is served by an index, one that is only in the document is not
    sqlx::raw_sql(
        "ALTER TABLE docs_customers ADD COLUMN doc_email text GENERATED ALWAYS AS (doc->>'email') STORED; \
         CREATE INDEX by_column ON docs_customers (tenant, doc_email); ANALYZE docs_customers",
    )
    .execute(&administrator)
    .await?;
    let plan = explain("SELECT doc FROM docs_customers WHERE doc_email = 'c4@example.com'").await?;
    let condition = plan.lines().find(|line| line.contains("Index Cond")).unwrap_or_default();
    assert!(condition.contains("doc_email") && condition.contains("tenant"), "{plan}");
    let plan = acme.explain(of_email("c4@example.com")).await?;
    let condition = plan.lines().find(|line| line.contains("Index Cond")).unwrap_or_default();
    assert!(!condition.contains("email"), "better than the book says: {plan}");
    Ok(())
}

#[tokio::test]
async fn a_busy_tenant_finds_its_connection_set() -> TestResult {
    let (_db, store) = shared(1).await?;
    let (acme, globex) = (store.ensure_tenant("acme").await?, store.ensure_tenant("globex").await?);
    let work = async |tenant: &Tenant| {
        tenant.docs().put(&customer(1)).await?;
        tenant.docs().get::<Customer>(&customer(1).id).await.map(drop)
    };
    work(&acme).await?;
    statements_sent();
    for _ in 0..20 {
        work(&acme).await?;
    }
    let busy = statements_sent();
    // each turn to another tenant sets the one connection that there is
    for _ in 0..20 {
        work(&acme).await?;
        work(&globex).await?;
    }
    let in_turn = statements_sent();
    assert!(busy <= 40 + 20, "{busy}"); // one that rested too long, as on a busy machine, was given back
    assert!(in_turn >= 80 + 39, "{in_turn}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_inline_model_of_one_tenant_is_built_anew_and_no_other_tenant_waits() -> TestResult {
    use crate::projections_admin::place;
    use crate::projections_rebuild::{NAME, Spending, Spendings, next};

    let db = Db::create().await?;
    let url = common_role(&db).await?;
    let builder = || Store::builder(url.clone()).max_connections(6);
    let old = builder().projection::<Spendings>(Lifecycle::Inline).tenants(TenancyMode::TenantColumn).build().await?;
    let new =
        builder().projection::<next::Spendings>(Lifecycle::Inline).tenants(TenancyMode::TenantColumn).build().await?;
    let (acme, globex) = (old.ensure_tenant("acme").await?, old.ensure_tenant("globex").await?);
    let next_acme = new.ensure_tenant("acme").await?;
    let kim = CustomerId(Uuid::from_u128(1));
    for store in [acme.store(), acme.store(), globex.store()] {
        place(store, kim, 1).await?;
    }
    let is = |result: Result<i64, Error>| match result {
        Err(Error::ReadModelVersion { stored, wanted, .. }) => Some((stored, wanted)),
        _ => None,
    };
    assert_eq!(is(place(next_acme.store(), kim, 1).await), Some((1, 2)));

    // what is open when it begins is waited for, and is in the new one
    let mut open = acme.pool().begin().await?;
    acme.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, vec![placed(kim, 10)]).await?;
    let build = tokio::spawn({
        let store = next_acme.store().clone();
        async move { store.projections().build_inline().await }
    });
    crate::support::until_somebody_waits(&PgPool::connect(db.url()).await?).await?;
    let bo = CustomerId(Uuid::from_u128(2));
    assert_eq!(is(place(acme.store(), bo, 100).await), Some((0, 1)), "nobody writes what is being built");
    open.commit().await?;
    assert_eq!(build.await??, [NAME]);
    place(globex.store(), kim, 1).await?;
    place(next_acme.store(), kim, 1000).await?;
    assert_eq!(is(place(acme.store(), kim, 1).await), Some((2, 1)));

    let total = async |store: &Store| store.docs().get::<Spending>(&kim).await.map(|it| it.map(|(doc, _)| doc.total));
    assert_eq!(total(next_acme.store()).await?, Some((1 + 1 + 10 + 1000) * 100));
    assert_eq!(total(globex.store()).await?, Some(2));
    // one that cannot be built leaves all as it was
    crate::support::append_raw(globex.store(), "order-placed", 1, "{}").await?;
    let next_globex = new.tenant("globex").await?;
    assert!(next_globex.projections().build_inline().await.is_err());
    place(globex.store(), kim, 1).await?;
    Ok(())
}
