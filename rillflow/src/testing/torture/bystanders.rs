//! Transactions that are simply there: held open without an append, in another database, or prepared and left behind.

use std::time::{Duration, Instant};

use crate::{Error, Expected, Store};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::domain::ticked;
use super::ledger::{Deed, Outcome};

/// Beyond every writer's numbers.
const PREPARED_NUMBER: i64 = i64::MAX >> 8;

const WRITE: &str = "INSERT INTO torture_elsewhere VALUES (1)";

pub(super) async fn prepare(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql("CREATE TABLE torture_elsewhere (n int)").execute(pool).await?;
    Ok(())
}

/// Starts those that never append: whoever waits for one of them waits for nothing.
pub(super) async fn start(
    pool: &PgPool,
    elsewhere: &str,
    stopped: &watch::Receiver<bool>,
) -> sqlx::Result<JoinSet<sqlx::Result<()>>> {
    let mut bystanders = JoinSet::new();
    bystanders.spawn(hold_to_the_end(pool.clone(), stopped.clone()));
    bystanders.spawn(hold_now_and_then(pool.clone(), stopped.clone()));
    if may_prepare(pool).await? {
        bystanders.spawn(leave_prepared_behind(pool.clone(), stopped.clone()));
    }
    bystanders.spawn(write_elsewhere(PgConnection::connect(elsewhere).await?, stopped.clone()));
    Ok(bystanders)
}

/// True when the server takes `PREPARE TRANSACTION`.
pub(super) async fn may_prepare(pool: &PgPool) -> sqlx::Result<bool> {
    Ok(sqlx::query_scalar::<_, String>("SHOW max_prepared_transactions").fetch_one(pool).await? != "0")
}

async fn end_of(mut stopped: watch::Receiver<bool>) {
    // an error means that the run is over
    let _ = stopped.wait_for(|&stopped| stopped).await;
}

async fn hold_to_the_end(pool: PgPool, stopped: watch::Receiver<bool>) -> sqlx::Result<()> {
    let mut open = pool.begin().await?;
    sqlx::raw_sql(WRITE).execute(&mut *open).await?;
    sqlx::raw_sql("SELECT count(*) FROM events").execute(&mut *open).await?;
    end_of(stopped).await;
    open.rollback().await
}

async fn hold_now_and_then(pool: PgPool, stopped: watch::Receiver<bool>) -> sqlx::Result<()> {
    while !*stopped.borrow() {
        let mut open = pool.begin().await?;
        sqlx::raw_sql(WRITE).execute(&mut *open).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        open.commit().await?;
    }
    Ok(())
}

async fn write_elsewhere(mut conn: PgConnection, stopped: watch::Receiver<bool>) -> sqlx::Result<()> {
    // a transaction id of its own is all that makes it a writer
    sqlx::raw_sql("BEGIN; SELECT pg_current_xact_id()").execute(&mut conn).await?;
    end_of(stopped).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut conn).await?;
    conn.close().await
}

async fn leave_prepared_behind(pool: PgPool, stopped: watch::Receiver<bool>) -> sqlx::Result<()> {
    let mut conn = pool.acquire().await?;
    sqlx::raw_sql("BEGIN").execute(&mut *conn).await?;
    sqlx::raw_sql(WRITE).execute(&mut *conn).await?;
    let name = prepare_transaction(&mut conn).await?;
    end_of(stopped).await;
    end_prepared(&mut conn, "ROLLBACK", &name).await
}

/// An append that is prepared and left for a while: the one thing here that readers have to wait for.
pub(super) async fn append_and_prepare(store: Store, pool: PgPool, wait: Duration) -> Vec<Deed> {
    let number = PREPARED_NUMBER;
    if !matches!(may_prepare(&pool).await, Ok(true)) {
        return Vec::new();
    }
    tokio::time::sleep(wait).await;
    let began = Instant::now();
    let outcome = match prepared_append(&store, &pool, number, wait).await {
        Ok(()) => Outcome::Committed,
        Err(error) => Outcome::Failed(error.to_string()),
    };
    vec![Deed::since(began, outcome, vec![number])]
}

async fn prepared_append(store: &Store, pool: &PgPool, number: i64, wait: Duration) -> Result<(), Error> {
    let mut conn = pool.acquire().await?;
    sqlx::raw_sql("BEGIN").execute(&mut *conn).await?;
    store.events().append_in_tx(&mut conn, Uuid::now_v7(), Expected::NoStream, [ticked(number)]).await?;
    let name = prepare_transaction(&mut conn).await?;
    tokio::time::sleep(wait.min(Duration::from_secs(3))).await;
    end_prepared(&mut conn, "COMMIT", &name).await?;
    Ok(())
}

/// Prepares under a name that nobody else has: names belong to the server, and another torture may run on it.
async fn prepare_transaction(conn: &mut PgConnection) -> sqlx::Result<String> {
    let name = format!("rillflow-torture-{}", Uuid::now_v7());
    sqlx::raw_sql(AssertSqlSafe(format!("PREPARE TRANSACTION '{name}'"))).execute(conn).await?;
    Ok(name)
}

async fn end_prepared(conn: &mut PgConnection, how: &str, name: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(format!("{how} PREPARED '{name}'"))).execute(conn).await?;
    Ok(())
}
