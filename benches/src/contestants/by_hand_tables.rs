//! The tables and statements that one writes by hand, without streams, versions of documents, or a global order.

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::STREAMS;
use crate::domain::{CUSTOMERS, DEPOSITED, customer, deposited};
use crate::server::Server;
use crate::{Result, What};

const TABLES: &str = "
    CREATE TABLE events (
        id bigserial PRIMARY KEY, stream_id uuid NOT NULL, stream_seq bigint NOT NULL, event_id uuid NOT NULL,
        type text NOT NULL, data jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (stream_id, stream_seq)
    );
    CREATE TABLE receipts (id uuid PRIMARY KEY, doc jsonb NOT NULL);
    CREATE TABLE checkpoint (position bigint NOT NULL);
    INSERT INTO checkpoint VALUES (0);
    CREATE TABLE customers (id uuid PRIMARY KEY, doc jsonb NOT NULL);
    CREATE INDEX ON customers ((doc->>'city'), (doc->>'name'));
    CREATE TABLE imports (id uuid PRIMARY KEY, doc jsonb NOT NULL);";

pub(super) const APPEND_ONE: &str =
    "INSERT INTO events (stream_id, stream_seq, event_id, type, data) VALUES ($1, $2, $3, $4, $5)";
pub(super) const APPEND_MANY: &str = "INSERT INTO events (stream_id, stream_seq, event_id, type, data) \
     SELECT $1, $2 + place, event_id, $4, data::jsonb FROM unnest($3::uuid[], $5::text[]) WITH ORDINALITY AS it (event_id, data, place)";
pub(super) const LOAD: &str = "SELECT data FROM events WHERE stream_id = $1 ORDER BY stream_seq";
pub(super) const READ: &str =
    "SELECT id, stream_id, stream_seq, event_id, type, data FROM events WHERE id > $1 ORDER BY id LIMIT $2";
pub(super) const RECEIPT: &str =
    "INSERT INTO receipts (id, doc) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc";
pub(super) const CHECKPOINT: &str = "UPDATE checkpoint SET position = $1";
pub(super) const FORGET: &str = "TRUNCATE receipts; UPDATE checkpoint SET position = 0";
pub(super) const UPSERT: &str =
    "INSERT INTO customers (id, doc) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc";
pub(super) const GET: &str = "SELECT doc FROM customers WHERE id = $1";
pub(super) const QUERY: &str = "SELECT doc FROM customers WHERE doc->>'city' = $1 ORDER BY doc->>'name' LIMIT 20";

pub(super) const BULK_INSERT: &str =
    "INSERT INTO imports (id, doc) SELECT id, doc FROM unnest($1::uuid[], $2::jsonb[]) AS it (id, doc)";
pub(super) const EMPTY: &str = "TRUNCATE imports";

pub(super) fn stream(number: usize) -> Uuid {
    Uuid::from_u128(number as u128 + 1)
}

/// Makes the database, once, with what its cases need.
pub(super) async fn prepare(server: &Server, name: &str, what: What) -> Result<String> {
    let (url, new) = server.database(name).await?;
    if new {
        let mut conn = PgConnection::connect(&url).await?;
        sqlx::raw_sql(TABLES).execute(&mut conn).await?;
        match what {
            What::Load | What::Read => fill_events(&mut conn).await?,
            What::Documents => fill_customers(&mut conn, "customers").await?,
            What::Append | What::All => {}
        }
        sqlx::raw_sql("VACUUM ANALYZE").execute(&mut conn).await?;
    }
    Ok(url)
}

async fn fill_events(conn: &mut PgConnection) -> Result<()> {
    for number in 0..STREAMS {
        let ids: Vec<_> = (0..100).map(|_| Uuid::now_v7()).collect();
        let data = (0..100).map(|n| serde_json::to_string(&deposited(n))).collect::<Result<Vec<_>, _>>()?;
        let append = sqlx::query(APPEND_MANY).bind(stream(number)).bind(0_i64).bind(ids).bind(DEPOSITED).bind(data);
        append.execute(&mut *conn).await?;
    }
    Ok(())
}

/// The same customers in anybody's table of documents.
pub(super) async fn fill_customers(conn: &mut PgConnection, table: &str) -> Result<()> {
    let insert = format!(
        "INSERT INTO {table} (id, doc) SELECT id, doc::jsonb FROM unnest($1::uuid[], $2::text[]) AS it (id, doc)"
    );
    for chunk in (0..CUSTOMERS).collect::<Vec<_>>().chunks(10_000) {
        let customers: Vec<_> = chunk.iter().map(|&n| customer(n)).collect();
        let ids: Vec<_> = customers.iter().map(|it| it.id).collect();
        let docs = customers.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        sqlx::query(sqlx::AssertSqlSafe(insert.clone())).bind(ids).bind(docs).execute(&mut *conn).await?;
    }
    Ok(())
}
