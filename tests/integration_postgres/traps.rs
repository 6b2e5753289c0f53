use std::future::Future;
use std::task::Poll;
use std::time::Duration;

use rillflow::{Expected, Lifecycle, Store};
use rillflow_tests::private_server::PrivateServer;
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use crate::orders::{CustomerId, CustomerSales, SalesProjection, placed};
use crate::support::{SOON, TestResult, store, store_with, tick, until_true};

/// The positions that a reader may see.
async fn seen(store: &Store) -> rillflow::Result<Vec<i64>> {
    Ok(store.events().read_all(0, 1000).await?.iter().map(|e| e.global_seq).collect())
}

#[tokio::test]
async fn mark_and_rows_in_one_statement_would_lose_an_event() -> TestResult {
    let (db, store) = store().await?;
    let mut open = store.pool().begin().await?;
    store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(2)]).await?;

    // one statement, stopped at a gate after its snapshot and before its mark
    let mut gate = store.pool().begin().await?;
    sqlx::raw_sql("SELECT pg_advisory_xact_lock(42)").execute(&mut *gate).await?;
    let mut naive = PgConnection::connect(db.url()).await?;
    let naive = tokio::spawn(async move {
        let rows = "WITH gate AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(42)), \
                    head AS MATERIALIZED (SELECT mark FROM gate, LATERAL rillflow_safe_mark()) \
                    SELECT mark, array(SELECT global_seq FROM events WHERE global_seq <= mark) FROM head";
        sqlx::query_as::<_, (i64, Vec<i64>)>(rows).fetch_one(&mut naive).await
    });
    let waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted)";
    until_true(store.pool(), waiting).await?;
    open.commit().await?;
    gate.rollback().await?;

    let (cursor, found) = naive.await??;
    assert_eq!((cursor, found), (2, vec![2]), "its cursor has passed 1, which it will never see");
    assert_eq!(seen(&store).await?, [1, 2], "rows of a later statement are all there");
    Ok(())
}

#[tokio::test]
async fn a_sequence_that_caches_would_lose_an_event() -> TestResult {
    let (db, store) = store().await?;
    sqlx::raw_sql("ALTER SEQUENCE events_global_seq CACHE 20").execute(store.pool()).await?;
    let mut early = PgConnection::connect(db.url()).await?;
    let mut late = PgConnection::connect(db.url()).await?;
    let append = async |conn: &mut PgConnection, number| {
        store.events().append_in_tx(conn, Uuid::now_v7(), Expected::Any, [tick(number)]).await
    };
    assert_eq!(append(&mut early, 1).await?.position(), 1);
    assert_eq!(append(&mut late, 2).await?.position(), 21, "the first connection keeps 2 to 20 for itself");
    let cursor = seen(&store).await?.pop().ok_or("nothing seen")?;

    let hidden = append(&mut early, 3).await?.position();
    assert_eq!((cursor, hidden), (21, 2), "a reader at 21 never looks at 2");
    assert!(store.schema().sync(&Default::default()).await.is_err(), "which is why this sequence is refused");
    Ok(())
}

#[tokio::test]
async fn the_end_of_the_snapshot_as_an_epoch_would_lose_an_event() -> TestResult {
    // a server where nobody else completes a transaction meanwhile
    let Some(server) = PrivateServer::start(&["autovacuum=off"]).await? else { return Ok(()) };
    let store = Store::connect(&server.create_database("epoch").await?).await?;
    store.schema().sync(&Default::default()).await?;
    // a first append, so that the mark of it is published and the marker sleeps
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
    until_true(store.pool(), "SELECT mark = 1 FROM event_marks").await?;
    let mut open = store.pool().begin().await?;
    let appended = store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, [tick(2)]).await?;

    // the naive fence: all that had begun when the epoch was taken have ended
    let fence = "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8";
    let epoch: String =
        sqlx::query_scalar("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetch_one(store.pool()).await?;
    let open_is_settled: bool = sqlx::query_scalar(fence).bind(&epoch).fetch_one(store.pool()).await?;
    assert!(open_is_settled, "the naive form takes position {} for settled, and it is open", appended.position());

    // a transaction id that was burned is above all that are running
    let epoch: String = sqlx::query_scalar("SELECT pg_current_xact_id()::text").fetch_one(store.pool()).await?;
    let open_is_settled: bool = sqlx::query_scalar(fence).bind(&epoch).fetch_one(store.pool()).await?;
    assert!(!open_is_settled);
    assert_eq!(seen(&store).await?, [1], "the announced floor needs no transaction ids");
    Ok(())
}

#[tokio::test]
async fn an_open_write_in_another_database_holds_nobody_up() -> TestResult {
    let (_db, store) = store().await?;
    let elsewhere = rillflow::testing::TestDatabase::create().await?;
    let mut open = PgConnection::connect(elsewhere.url()).await?;
    sqlx::raw_sql("BEGIN; SELECT pg_current_xact_id()").execute(&mut open).await?;

    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1)]).await?;

    assert_eq!(seen(&store).await?, [1]);
    Ok(())
}

#[tokio::test]
async fn a_prepared_transaction_that_never_appended_holds_nobody_up() -> TestResult {
    let Some(server) = PrivateServer::start(&["max_prepared_transactions=2"]).await? else { return Ok(()) };
    let store = Store::connect(&server.create_database("prepared").await?).await?;
    store.schema().sync(&Default::default()).await?;
    let mut conn = store.pool().acquire().await?;
    for statement in ["BEGIN", "CREATE TABLE elsewhere (n int)", "PREPARE TRANSACTION 'left behind'"] {
        sqlx::raw_sql(statement).execute(&mut *conn).await?;
    }
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
    assert_eq!(seen(&store).await?, [1]);

    // one that did append holds readers until it is decided, also without a connection
    sqlx::raw_sql("BEGIN").execute(&mut *conn).await?;
    store.events().append_in_tx(&mut conn, Uuid::now_v7(), Expected::Any, [tick(2)]).await?;
    sqlx::raw_sql("PREPARE TRANSACTION 'append'").execute(&mut *conn).await?;
    conn.close().await?;
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(3)]).await?;
    assert_eq!(seen(&store).await?, [1]);
    sqlx::raw_sql("COMMIT PREPARED 'append'").execute(store.pool()).await?;
    assert_eq!(seen(&store).await?, [1, 2, 3]);
    Ok(())
}

/// What a standby would make of the mark if it computed it: sequences are ahead of their use, and locks are elsewhere.
const NAIVE_MARK: &str = "SELECT last_value FROM events_global_seq";

#[tokio::test]
async fn a_standby_reads_up_to_the_published_mark_and_computes_none() -> TestResult {
    let Some(server) = PrivateServer::start(&[]).await? else { return Ok(()) };
    let url = server.create_database("orders").await?;
    let primary = Store::connect(&url).await?;
    primary.schema().sync(&Default::default()).await?;
    let Some(standby_server) = server.standby()? else { return Ok(()) };
    let standby = Store::connect(&standby_server.url("orders")).await?;

    primary.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
    until_true(standby.pool(), "SELECT mark = 1 FROM event_marks").await?;
    assert_eq!(seen(&standby).await?, [1]);

    let mut open = primary.pool().begin().await?;
    primary.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, [tick(2)]).await?;
    primary.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(3)]).await?;
    until_true(standby.pool(), "SELECT EXISTS (SELECT FROM events WHERE global_seq = 3)").await?;
    let naive: i64 = sqlx::query_scalar(NAIVE_MARK).fetch_one(standby.pool()).await?;
    assert!(naive >= 3, "computed on the standby, the mark would be {naive}, and 2 would be lost");
    assert_eq!(seen(&standby).await?, [1], "3 has arrived, but 2 comes before it");

    open.commit().await?;
    until_true(standby.pool(), "SELECT mark = 3 FROM event_marks").await?;
    assert_eq!(seen(&standby).await?, [1, 2, 3]);
    Ok(())
}

#[tokio::test]
async fn a_promoted_standby_goes_on_and_its_projection_agrees_with_its_own_history() -> TestResult {
    let Some(mut server) = PrivateServer::start(&[]).await? else { return Ok(()) };
    let url = server.create_database("orders").await?;
    let primary = Store::builder(&url).projection::<SalesProjection>(Lifecycle::Async).build().await?;
    primary.schema().sync(&Default::default()).await?;
    let Some(standby_server) = server.standby()? else { return Ok(()) };
    let daemon = primary.start_daemon().await?;
    let kim = CustomerId::default();
    let append = async |store: &Store, total| {
        store.events().append_stream(Uuid::now_v7(), Expected::Any, [placed(kim, total)]).await
    };
    let kept = append(&primary, 1).await?.position();
    primary.wait_for("customer-sales", kept, SOON).await?;
    let standby = PgPool::connect(&standby_server.url("orders")).await?;
    until_true(&standby, "SELECT EXISTS (SELECT FROM projections WHERE position >= 1)").await?;

    // replication stops, events go on, the primary dies
    sqlx::raw_sql("ALTER SYSTEM SET primary_conninfo = ''").execute(&standby).await?;
    sqlx::raw_sql("SELECT pg_reload_conf()").execute(&standby).await?;
    until_true(&standby, "SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)").await?;
    let lost = append(&primary, 10).await?.position();
    primary.wait_for("customer-sales", lost, SOON).await?;
    drop(daemon);
    server.kill()?;
    sqlx::raw_sql("SELECT pg_promote()").execute(&standby).await?;

    let promoted =
        Store::builder(standby_server.url("orders")).projection::<SalesProjection>(Lifecycle::Async).build().await?;
    promoted.schema().sync(&Default::default()).await?;
    let mut config = rillflow::DaemonConfig::default();
    config.lease_ttl = Duration::from_millis(600);
    // the lease of the dead primary came along
    sqlx::raw_sql("UPDATE projections SET lease_until = clock_timestamp()").execute(promoted.pool()).await?;
    let _daemon = promoted.start_daemon_with(config).await?;
    let next = append(&promoted, 100).await?.position();
    promoted.wait_for("customer-sales", next, SOON).await?;

    let found = promoted.docs().get::<CustomerSales>(&kim).await?.map(|(doc, _)| (doc.orders, doc.total));
    assert_eq!(found, Some((2, 101)), "the event that did not arrive is in neither");
    assert_eq!(seen(&promoted).await?, [kept, next]);
    Ok(())
}

/// Gives a call up when it would be polled once more than this.
pub(crate) async fn given_up<T>(polls: usize, call: impl Future<Output = T>) -> Option<T> {
    let (mut call, mut done) = (Box::pin(call), 0);
    std::future::poll_fn(move |context| {
        done += 1;
        match call.as_mut().poll(context) {
            Poll::Pending if done == polls => Poll::Ready(None),
            polled => polled.map(Some),
        }
    })
    .await
}

#[tokio::test]
async fn a_call_given_up_at_any_moment_leaves_no_transaction_open_in_the_pool() -> TestResult {
    let (db, store) = store_with(|it| it.max_connections(1).projection::<SalesProjection>(Lifecycle::Inline)).await?;
    // its appends are statements of their own, on the same connection
    let plain = Store::builder(store.pool().clone()).build().await?;
    let mut beside = PgConnection::connect(db.url()).await?;
    let mut times = 0;
    // a call may take one poll or two, so the early ones come more than once
    for polls in (1..4).cycle().take(12).chain(4..14) {
        for way in 0..3 {
            let order = placed(CustomerId(Uuid::now_v7()), 100);
            let settled = match way {
                0 => given_up(polls, store.events().append_stream(Uuid::now_v7(), Expected::Any, [order]))
                    .await
                    .is_some(),
                1 => given_up(polls, store.begin()).await.is_some(),
                _ => {
                    let mut session = store.session();
                    session.append(Uuid::now_v7(), Expected::Any, [order])?;
                    given_up(polls, session.commit()).await.is_some()
                }
            };
            times += usize::from(!settled);
            let next = plain.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
            let seen = sqlx::query_scalar::<_, bool>("SELECT EXISTS (SELECT FROM events WHERE global_seq = $1)")
                .bind(next.position())
                .fetch_one(&mut beside)
                .await?;
            assert!(
                seen,
                "the append behind way {way}, given up after {polls} polls, was answered and is not committed"
            );
        }
    }
    // a server that answers before it is looked at leaves nothing to give up, so not each way needs to have been
    assert!(times > 0, "nothing was given up in between");
    Ok(())
}
