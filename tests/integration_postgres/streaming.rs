use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use rillflow::model::SqlValue;
use rillflow::model::query::Row;
use rillflow::query::{Predicate, SortDirection};
use rillflow::{Document, Error, JsonFormat, Query, Store};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::orders::{Customer, CustomerId, customer};
use crate::support::{Db, TestResult, statements_sent, store, store_with, until_true};

/// Numbers that the server makes as they are read; counts how many were decoded.
struct Numbers {
    sql: &'static str,
    decoded: Arc<AtomicUsize>,
}

impl Query<Vec<i64>> for Numbers {
    fn name(&self) -> &'static str {
        "numbers"
    }
    fn sql(&self) -> &'static str {
        self.sql
    }
    fn binds(&self) -> Vec<SqlValue> {
        Vec::new()
    }
    fn decode(&self, rows: &[Row<'_>]) -> rillflow::Result<Vec<i64>> {
        self.decoded.fetch_add(rows.len(), SeqCst);
        rows.iter().map(|row| row.json(0)).collect()
    }
}

fn numbers(sql: &'static str) -> (Numbers, Arc<AtomicUsize>) {
    let decoded = Arc::new(AtomicUsize::new(0));
    (Numbers { sql, decoded: decoded.clone() }, decoded)
}

const A_MILLION: &str = "SELECT to_jsonb(n) FROM generate_series(1, 1000000) AS n";
/// The padding is sent too: some gigabytes, more than any socket's buffer holds.
const ENDLESS: &str = "SELECT to_jsonb(n), repeat('x', 10000) FROM generate_series(1, 1000000) AS n";

/// Waits until one session can send no more, as nobody reads.
async fn until_the_server_waits(pool: &PgPool) -> rillflow::Result<()> {
    until_true(
        pool,
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() \
         AND pid <> pg_backend_pid() AND state = 'active' AND wait_event = 'ClientWrite'",
    )
    .await
}

#[tokio::test]
async fn a_million_rows_are_read_one_at_a_time() -> TestResult {
    let (_db, store) = store().await?;
    let (query, decoded) = numbers(A_MILLION);
    let mut rows = store.query_stream(query);
    let (mut number, mut sum) = (0, 0);
    while let Some(row) = rows.try_next().await? {
        (number, sum) = (number + 1, sum + row);
        assert!(decoded.load(SeqCst) <= number + 1, "at most one is decoded ahead");
    }
    assert_eq!((number, sum), (1_000_000, 500_000_500_000));
    assert!(rows.next().await.is_none(), "the end stays the end");
    Ok(())
}

#[tokio::test]
async fn the_first_row_is_there_while_the_server_waits_to_send_the_last() -> TestResult {
    let db = rillflow::testing::TestDatabase::create().await?;
    let store = Store::builder(db.url()).max_connections(2).build().await?;
    let (query, decoded) = numbers(ENDLESS);
    let mut rows = store.query_stream(query);
    assert_eq!(rows.try_next().await?, Some(1));
    until_the_server_waits(store.pool()).await?;
    assert!(decoded.load(SeqCst) <= 2);
    assert_eq!(rows.try_next().await?, Some(2), "and it goes on");
    Ok(())
}

#[tokio::test]
async fn a_stream_dropped_early_leaves_neither_a_lock_nor_a_lost_connection() -> TestResult {
    let db = rillflow::testing::TestDatabase::create().await?;
    let store = Store::builder(db.url()).max_connections(2).document::<Customer>().build().await?;
    store.schema().sync(&rillflow::SchemaConfig::single_tenant()).await?;
    let fill = "INSERT INTO docs_customers (id, doc) SELECT gen_random_uuid(), jsonb_build_object('email', n, 'handle', n, \
                'status', 'active', 'address', '{}'::jsonb, 'padding', repeat('x', 100000)) FROM generate_series(1, 2000) n";
    sqlx::raw_sql(fill).execute(store.pool()).await?;
    for _ in 0..4 {
        // two hundred megabytes, of which one row is read
        let mut all = store.query_json_stream(Customer::query(), JsonFormat::Lines);
        assert!(all.try_next().await?.is_some_and(|it| it.len() > 100_000));
        until_the_server_waits(store.pool()).await?;
    }
    let mut short = store.query_stream(numbers("SELECT to_jsonb(n) FROM generate_series(1, 5) AS n").0);
    assert_eq!(short.try_next().await?, Some(1));
    drop(short);

    let mut tx = store.pool().begin().await?;
    let lock = "SET LOCAL lock_timeout = '10s'; LOCK TABLE docs_customers IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut *tx).await?;
    let mut other = store.pool().acquire().await?;
    assert_eq!(sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(&mut *other).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_next_that_is_given_up_loses_no_row() -> TestResult {
    let (_db, store) = store().await?;
    let mut rows = store.query_stream(numbers("SELECT to_jsonb(n) FROM generate_series(1, 300) AS n").0);
    let (mut read, mut given_up) = (Vec::new(), 0);
    loop {
        // each call is polled once: what is not there yet is asked for anew
        match rows.try_next().now_or_never().transpose()? {
            Some(Some(row)) => read.push(row),
            Some(None) => break,
            None => {
                given_up += 1;
                tokio::time::sleep(Duration::from_micros(100)).await;
            }
        }
    }
    assert_eq!(read, (1..=300).collect::<Vec<_>>());
    assert!(given_up > 0);
    Ok(())
}

/// Customers 0 to 19.
async fn filled() -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store_with(|it| it.document::<Customer>()).await?;
    store.docs().bulk_insert((0..20).map(customer)).run().await?;
    Ok((db, store))
}

#[tokio::test]
async fn typed_queries_in_place_and_dynamic_ones_are_read_as_streams_too() -> TestResult {
    let (_db, store) = filled().await?;
    let docs = store.docs();
    statements_sent();
    let query = docs.query::<Customer>().filter(|c| c.address.city.eq("Oslo")).order_by(|c| c.created_at.asc());
    let oslo: Vec<_> = query.fetch().try_collect().await?;
    assert_eq!(oslo, (0..10).map(|n| customer(2 * n)).collect::<Vec<_>>());
    let ids: Vec<CustomerId> = docs.query::<Customer>().select(|c| c.id).fetch().try_collect().await?;
    assert_eq!(ids.len(), 20);
    let last = docs.dynamic::<Customer>().order_by("createdAt", SortDirection::Desc).limit(2);
    assert_eq!(last.fetch().try_collect::<Vec<_>>().await?, [customer(19), customer(18)]);
    assert_eq!(statements_sent(), 3);
    Ok(())
}

#[tokio::test]
async fn json_is_handed_on_in_chunks_as_an_array_or_as_lines() -> TestResult {
    let (_db, store) = filled().await?;
    let query = || Customer::query().order_by(|c| c.created_at.asc());
    let array = store.query_json_stream(query(), JsonFormat::Array).try_concat().await?;
    assert_eq!(serde_json::from_slice::<Vec<Customer>>(&array)?, (0..20).map(customer).collect::<Vec<_>>());
    let none = store.query_json_stream(query().filter(|c| c.handle.eq("nobody")), JsonFormat::Array);
    assert_eq!(none.try_concat().await?, b"[]");

    let lines = String::from_utf8(store.query_json_stream(query(), JsonFormat::Lines).try_concat().await?)?;
    let lines: Vec<Customer> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(lines.len(), 20);
    let none = store.query_json_stream(query().filter(|c| c.handle.eq("nobody")), JsonFormat::Lines);
    assert_eq!(none.count().await, 0);

    let million = store.query_json_stream(numbers(A_MILLION).0, JsonFormat::Lines);
    let chunks: Vec<_> = million.map_ok(|it| it.len()).try_collect().await?;
    assert!(chunks.len() > 100 && chunks.iter().all(|it| *it < 20_000), "{:?}", chunks.iter().max());
    Ok(())
}

#[tokio::test]
async fn an_error_is_the_last_item_and_the_store_goes_on() -> TestResult {
    let db = rillflow::testing::TestDatabase::create().await?;
    let store = Store::builder(db.url()).max_connections(1).build().await?;
    let unreadable =
        "SELECT to_jsonb(CASE WHEN n < 3 THEN n::text::jsonb ELSE '\"x\"' END) FROM generate_series(1, 9) n";
    let failing = "SELECT to_jsonb(1 / (3 - n)) FROM generate_series(1, 9) n";
    for (text, decode) in [(unreadable, true), (failing, false)] {
        let rows: Vec<_> = store.query_stream(numbers(text).0).collect().await;
        assert_eq!(rows.iter().filter(|it| it.is_ok()).count(), 2);
        let last = rows.last().ok_or("nothing came")?;
        assert_eq!(matches!(last, Err(Error::Decode { .. })), decode, "{last:?}");
        assert!(matches!(last, Err(Error::Decode { .. } | Error::Database(_))), "{last:?}");
        assert_eq!(rows.len(), 3);
    }
    let refused: Vec<_> =
        store.docs().schemaless().query::<Value>().filter(Predicate::eq("a..", 1)).fetch().collect().await;
    assert!(matches!(&refused[..], [Err(Error::InvalidQuery { .. })]), "{refused:?}");
    let one = store.query_stream(numbers("SELECT to_jsonb(7)").0).try_collect::<Vec<_>>().await?;
    assert_eq!(json!(one), json!([7]));
    Ok(())
}
