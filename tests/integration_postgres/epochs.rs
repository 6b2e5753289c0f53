use rillflow::{Checkpoint, Error, Expected, Store};
use rillflow_tests::private_server::PrivateServer;
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{TestResult, append_raw, store, tick, until_true};

async fn append(store: &Store, number: i64) -> rillflow::Result<i64> {
    Ok(store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(number)]).await?.position())
}

/// Reads everything of some types, and returns the positions.
async fn read_on(store: &Store, checkpoint: &mut Checkpoint, types: &[&str]) -> rillflow::Result<Vec<i64>> {
    *checkpoint = store.events().resume(checkpoint).await?;
    let page = store.events().all().after(checkpoint.position()).types(types.iter().copied()).page().await?;
    page.events.iter().for_each(|event| checkpoint.processed(event));
    checkpoint.passed(page.position);
    Ok(page.events.iter().map(|it| it.global_seq).collect())
}

/// What a restored backup does: the last events are gone, and their positions are drawn again.
pub(crate) async fn restore_to(store: &Store, position: i64) -> sqlx::Result<()> {
    let back = format!(
        "ALTER TABLE events DISABLE TRIGGER USER; DELETE FROM events WHERE global_seq > {position}; \
         ALTER TABLE events ENABLE TRIGGER USER; SELECT setval('events_global_seq', {position}); \
         UPDATE event_marks SET mark = {position}"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(back)).execute(store.pool()).await.map(drop)
}

#[tokio::test]
async fn a_reader_goes_on_where_it_stopped_and_keeps_its_checkpoint_as_text() -> TestResult {
    let (_db, store) = store().await?;
    let mut checkpoint = Checkpoint::default();
    append(&store, 1).await?;
    append_raw(&store, "other", 1, "1").await?;
    assert_eq!(read_on(&store, &mut checkpoint, &["tick"]).await?, [1]);
    assert_eq!((checkpoint.position(), checkpoint.epoch()), (2, 1));
    let mut kept: Checkpoint = serde_json::from_str(&serde_json::to_string(&checkpoint)?)?;
    append(&store, 2).await?;
    assert_eq!(read_on(&store, &mut kept, &["tick"]).await?, [3]);
    assert!(matches!("3".parse::<Checkpoint>(), Err(Error::InvalidCheckpoint { .. })));

    // a stream that was deleted is no other history
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::Any, [tick(3)]).await?;
    assert_eq!(read_on(&store, &mut kept, &["tick"]).await?, [4]);
    store.events().delete_stream(id).await?;
    assert_eq!(read_on(&store, &mut kept, &["tick"]).await?, [] as [i64; 0]);
    Ok(())
}

#[tokio::test]
async fn a_reader_of_events_that_are_lost_is_told_and_never_goes_on() -> TestResult {
    for reused in [0, 1, 2] {
        let (_db, store) = store().await?;
        let mut checkpoint = Checkpoint::default();
        for n in 1..=3 {
            append(&store, n).await?;
        }
        assert_eq!(read_on(&store, &mut checkpoint, &["tick"]).await?, [1, 2, 3]);
        restore_to(&store, 2).await?;
        for n in 0..reused {
            append(&store, n).await?; // at 3 there is another event now
        }
        let refused = read_on(&store, &mut checkpoint, &["tick"]).await;
        assert!(matches!(refused, Err(Error::HistoryDiverged { position: 3, .. })), "{reused}: {refused:?}");
        store.events().begin_epoch().await?;
        append(&store, 9).await?;
        let refused = read_on(&store, &mut checkpoint, &["tick"]).await;
        assert!(matches!(refused, Err(Error::HistoryDiverged { position: 3, .. })), "{reused}: {refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_reader_passed_without_an_event_is_looked_at_again_in_another_epoch() -> TestResult {
    let (_db, store) = store().await?;
    let mut checkpoint = Checkpoint::default();
    append(&store, 1).await?;
    for _ in 0..4 {
        append_raw(&store, "other", 1, "1").await?; // positions 2 to 5, which this reader passes
    }
    assert_eq!(read_on(&store, &mut checkpoint, &["tick"]).await?, [1]);
    assert_eq!(checkpoint.position(), 5);
    restore_to(&store, 3).await?;
    assert_eq!(append(&store, 2).await?, 4, "below the checkpoint");
    append_raw(&store, "other", 1, "1").await?;
    let epoch = store.events().begin_epoch().await?;
    assert!(epoch.number > 1 && epoch.after_position == 5);
    let next = append(&store, 3).await?;
    assert!(next > 1_000_000);
    assert_eq!(read_on(&store, &mut checkpoint, &["tick"]).await?, [4, next]);
    assert_eq!(checkpoint.epoch(), epoch.number);

    let again = store.events().begin_epoch().await?;
    assert!(again.number > epoch.number && append(&store, 4).await? > next + 999_999);
    let kept: Vec<(i32, i64)> =
        sqlx::query_as("SELECT epoch, after_position FROM event_epochs ORDER BY epoch").fetch_all(store.pool()).await?;
    assert_eq!(kept, [(1, 0), (epoch.number, 5), (again.number, next)]);
    Ok(())
}

#[tokio::test]
async fn after_a_failover_no_position_is_used_twice_and_readers_ahead_are_told() -> TestResult {
    let Some(mut server) = PrivateServer::start(&[]).await? else { return Ok(()) };
    let primary = Store::connect(&server.create_database("orders").await?).await?;
    primary.schema().sync(&Default::default()).await?;
    let Some(standby_server) = server.standby()? else { return Ok(()) };
    let kept = append(&primary, 1).await?;
    let mut behind = Checkpoint::default();
    assert_eq!(read_on(&primary, &mut behind, &["tick"]).await?, [kept]);
    let standby = PgPool::connect(&standby_server.url("orders")).await?;
    until_true(&standby, "SELECT EXISTS (SELECT FROM events)").await?;

    // replication stops, an event is appended and read, the primary dies
    sqlx::raw_sql("ALTER SYSTEM SET primary_conninfo = ''").execute(&standby).await?;
    sqlx::raw_sql("SELECT pg_reload_conf()").execute(&standby).await?;
    until_true(&standby, "SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)").await?;
    let lost = append(&primary, 2).await?;
    let mut ahead = behind;
    assert_eq!(read_on(&primary, &mut ahead, &["tick"]).await?, [lost]);
    server.kill()?;
    sqlx::raw_sql("SELECT pg_promote()").execute(&standby).await?;

    let promoted = Store::connect(&standby_server.url("orders")).await?;
    promoted.events().begin_epoch().await?;
    let next = append(&promoted, 3).await?;
    assert!(next > lost + 999_999, "{next} could be taken for {lost}");
    assert_eq!(read_on(&promoted, &mut behind, &["tick"]).await?, [next]);
    let refused = read_on(&promoted, &mut ahead, &["tick"]).await;
    assert!(matches!(refused, Err(Error::HistoryDiverged { .. })), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn epochs_begin_in_a_schema_of_their_own() -> TestResult {
    let (_db, store) = crate::support::store_with(|it| it.schema("app")).await?;
    append(&store, 1).await?;
    assert_eq!(store.events().begin_epoch().await?.after_position, 1);
    let mut checkpoint = Checkpoint::default();
    let next = append(&store, 2).await?;
    assert_eq!(read_on(&store, &mut checkpoint, &["tick"]).await?, [1, next]);
    Ok(())
}
