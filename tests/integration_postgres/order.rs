use rillflow::{Expected, Store};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{TestResult, store, tick, until_somebody_waits};

/// The bodies of all events that a reader may see.
async fn seen(store: &Store) -> rillflow::Result<Vec<i64>> {
    store.events().read_all(0, 1000).await?.iter().map(|e| e.body.parse()).collect()
}

/// How many announcements are held.
async fn announcements(pool: &PgPool) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted \
         AND classid::bigint = 'events'::regclass::oid::bigint & 2147483647 \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .fetch_one(pool)
    .await
}

#[tokio::test]
async fn a_reader_waits_for_an_append_that_is_open_and_then_sees_all_in_order() -> TestResult {
    let (_db, store) = store().await?;
    let mut open = store.pool().begin().await?;
    store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(2)]).await?;

    assert_eq!(seen(&store).await?, [] as [i64; 0], "2 is committed, but 1 may still come before it");
    open.commit().await?;

    assert_eq!(seen(&store).await?, [1, 2]);
    Ok(())
}

#[tokio::test]
async fn what_was_committed_before_an_open_append_is_seen_at_once() -> TestResult {
    let (_db, store) = store().await?;
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
    let mut open = store.pool().begin().await?;
    store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, [tick(2)]).await?;

    assert_eq!(seen(&store).await?, [1]);
    open.rollback().await?;
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(3)]).await?;

    assert_eq!(seen(&store).await?, [1, 3]);
    Ok(())
}

#[tokio::test]
async fn an_unrelated_open_transaction_holds_nobody_up() -> TestResult {
    let (_db, store) = store().await?;
    sqlx::raw_sql("CREATE TABLE elsewhere (n int)").execute(store.pool()).await?;
    let mut writing = store.pool().begin().await?;
    sqlx::query("INSERT INTO elsewhere VALUES (1)").execute(&mut *writing).await?;
    let mut reading = store.pool().begin().await?;
    sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM events")
        .execute(&mut *reading)
        .await?;

    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1)]).await?;

    assert_eq!(seen(&store).await?, [1]);
    Ok(())
}

#[tokio::test]
async fn a_savepoint_that_is_rolled_back_holds_nobody_up() -> TestResult {
    let (_db, store) = store().await?;
    let mut outer = store.pool().begin().await?;
    let mut inner = sqlx::Connection::begin(&mut *outer).await?;
    store.events().append_in_tx(&mut inner, Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
    inner.rollback().await?;
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(2)]).await?;
    assert_eq!(seen(&store).await?, [2]);

    // and what the transaction appends later is announced again
    store.events().append_in_tx(&mut outer, Uuid::now_v7(), Expected::Any, [tick(3)]).await?;
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(4)]).await?;
    assert_eq!(seen(&store).await?, [2]);
    outer.commit().await?;
    assert_eq!(seen(&store).await?, [2, 3, 4]);
    Ok(())
}

#[tokio::test]
async fn a_plain_insert_by_other_software_is_as_safe_as_an_append() -> TestResult {
    let (_db, store) = store().await?;
    let insert = "INSERT INTO events (stream_id, stream_seq, event_id, type, data) \
                  VALUES (gen_random_uuid(), 1, gen_random_uuid(), 'tick', $1::text::json)";
    let mut open = store.pool().begin().await?;
    for number in ["1", "2"] {
        sqlx::query(insert).bind(number).execute(&mut *open).await?;
    }
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(3)]).await?;

    assert_eq!(seen(&store).await?, [] as [i64; 0]);
    open.commit().await?;
    assert_eq!(seen(&store).await?, [1, 2, 3]);
    Ok(())
}

#[tokio::test]
async fn a_writer_that_waits_for_its_stream_holds_no_reader_up() -> TestResult {
    let (_db, store) = store().await?;
    let contended = Uuid::now_v7();
    let mut open = store.pool().begin().await?;
    store.events().append_in_tx(&mut open, contended, Expected::Any, [tick(1)]).await?;
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.events().append_stream(contended, Expected::Any, [tick(2)]).await }
    });
    until_somebody_waits(store.pool()).await?;

    assert_eq!(announcements(store.pool()).await?, 1, "the writer that waits has announced nothing yet");
    open.commit().await?;
    waiting.await??;
    assert_eq!(seen(&store).await?, [1, 2]);
    assert_eq!(announcements(store.pool()).await?, 0);
    Ok(())
}

#[tokio::test]
async fn the_floor_is_announced_below_every_position_drawn() -> TestResult {
    let (_db, store) = store().await?;
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1), tick(2), tick(3)]).await?;
    let mut open = store.pool().begin().await?;
    let appended = store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, [tick(4), tick(5)]).await?;

    let floor: i64 = sqlx::query_scalar(
        "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND mode = 'ShareLock' \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .fetch_one(store.pool())
    .await?;
    assert_eq!((floor, &*appended.positions), (3, &[4, 5][..]));
    Ok(())
}

#[tokio::test]
async fn positions_beyond_the_width_of_a_lock_stay_in_order() -> TestResult {
    let (_db, store) = store().await?;
    for last in [(1_i64 << 31) - 2, (1 << 32) - 2, 5 << 31] {
        sqlx::query("SELECT setval('events_global_seq', $1)").bind(last).execute(store.pool()).await?;
        let before = seen(&store).await?.len();
        let mut open = store.pool().begin().await?;
        store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
        for n in 2..6 {
            store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(n)]).await?;
        }
        assert_eq!(seen(&store).await?.len(), before, "near {last}");
        open.commit().await?;
        assert_eq!(seen(&store).await?[before..], [1, 2, 3, 4, 5], "near {last}");
    }
    Ok(())
}

#[tokio::test]
async fn a_prepared_append_holds_readers_until_it_is_decided() -> TestResult {
    let (_db, store) = store().await?;
    if sqlx::query_scalar::<_, String>("SHOW max_prepared_transactions").fetch_one(store.pool()).await? == "0" {
        eprintln!("skipped: this server has max_prepared_transactions = 0");
        return Ok(());
    }
    let mut open = store.pool().acquire().await?;
    sqlx::raw_sql("BEGIN").execute(&mut *open).await?;
    store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
    sqlx::raw_sql("PREPARE TRANSACTION 'append'").execute(&mut *open).await?;
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(2)]).await?;
    assert_eq!(seen(&store).await?, [] as [i64; 0]);
    sqlx::raw_sql("COMMIT PREPARED 'append'").execute(&mut *open).await?;
    assert_eq!(seen(&store).await?, [1, 2]);
    Ok(())
}

#[tokio::test]
async fn a_mark_from_an_old_snapshot_is_refused() -> TestResult {
    let (_db, store) = store().await?;
    let mut tx = store.pool().begin().await?;
    sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *tx).await?;
    let refused = sqlx::query("SELECT mark FROM rillflow_safe_mark()").fetch_one(&mut *tx).await.unwrap_err();
    assert!(refused.to_string().contains("READ COMMITTED"), "{refused}");
    Ok(())
}
