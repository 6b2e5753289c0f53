use std::time::Duration;

use rillflow::projection_runtime::ProjectionWorkerConfig;
use rillflow::projections::{OnFailure, ProjectionHandler};
use rillflow::{BoxError, DaemonConfig, Error, EventEnvelope, RawJson, Store, projection};
use sqlx::{Postgres, Transaction};

use crate::orders::{Cancelled, CustomerId, OrderEvent, Placed, Shipped, placed};
use crate::projections_admin::place;
use crate::support::{Db, SOON, TestResult, store_with, until};

/// What each total does to the handler.
const REFUSED: i64 = -1;
const PANICS: i64 = -2;
const BAD_STATEMENT: i64 = -3;
const SLEEPS: i64 = -4;

struct Totals;

#[projection(name = "totals", events = OrderEvent, on_failure = park, ignore(Shipped))]
impl Totals {
    async fn on_placed(
        tx: &mut Transaction<'_, Postgres>,
        e: &Placed,
        at: &EventEnvelope,
    ) -> Result<(), rillflow::BoxError> {
        Self::add(tx, at, e.total).await?;
        // what was written before it failed must not stay
        let refused: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM refused WHERE total = $1)")
            .bind(e.total)
            .fetch_one(&mut **tx)
            .await?;
        match e.total {
            total if !refused || total >= 0 => Ok(()),
            PANICS => panic!("a total that no handler takes"),
            BAD_STATEMENT => Ok(sqlx::query("SELECT 1 / 0").execute(&mut **tx).await.map(drop)?),
            SLEEPS => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Ok(())
            }
            _ => Err("a total that this handler refuses".into()),
        }
    }

    async fn on_cancelled(tx: &mut Transaction<'_, Postgres>, e: &Cancelled, at: &EventEnvelope) -> sqlx::Result<()> {
        Self::add(tx, at, -e.total).await
    }

    async fn add(tx: &mut Transaction<'_, Postgres>, at: &EventEnvelope, total: i64) -> sqlx::Result<()> {
        let insert = sqlx::query("INSERT INTO totals (position, stream_id, total) VALUES ($1, $2, $3)");
        insert.bind(at.global_seq).bind(at.stream_id.0).bind(total).execute(&mut **tx).await?;
        Ok(())
    }

    #[reset]
    async fn empty(tx: &mut Transaction<'_, Postgres>) -> sqlx::Result<()> {
        sqlx::query("TRUNCATE totals").execute(&mut **tx).await?;
        Ok(())
    }
}

fn config() -> DaemonConfig {
    let mut config = ProjectionWorkerConfig::default();
    config.lease_ttl = Duration::from_millis(800);
    config.first_retry = Duration::from_millis(5);
    config.longest_retry = Duration::from_millis(10);
    config.max_attempts = 3;
    config
}

async fn totals() -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store_with(|it| it.sql_projection::<Totals>()).await?;
    sqlx::raw_sql(
        "CREATE TABLE totals (position bigint PRIMARY KEY, stream_id uuid, total bigint); \
         CREATE TABLE refused (total bigint); \
         INSERT INTO refused VALUES (-1), (-2), (-3), (-4)",
    )
    .execute(store.pool())
    .await?;
    Ok((db, store))
}

async fn written(store: &Store) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar("SELECT total FROM totals ORDER BY position").fetch_all(store.pool()).await
}

#[tokio::test]
async fn an_sql_projection_writes_with_its_checkpoint() -> TestResult {
    let (_db, store) = totals().await?;
    let kim = CustomerId::default();
    let daemon = store.start_daemon().await?;
    place(&store, kim, 3).await?;
    let last = place(&store, kim, 4).await?;
    store.wait_for("totals", last, SOON).await?;
    assert_eq!(written(&store).await?, [3, 4]);
    daemon.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn an_event_that_fails_in_any_way_is_set_aside_and_its_neighbours_are_not() -> TestResult {
    for poison in [REFUSED, PANICS, BAD_STATEMENT, SLEEPS] {
        let (_db, store) = totals().await?;
        let kim = CustomerId::default();
        place(&store, kim, 1).await?;
        let bad = place(&store, kim, poison).await?;
        place(&store, kim, 2).await?;
        let projections = store.projections().with_config(config());

        projections.run_until_idle("totals").await?;
        assert_eq!(written(&store).await?, [1, 2], "{poison}");
        let letters = projections.dlq_list("totals", 10).await?;
        let letter = &letters[0];
        assert_eq!((letters.len(), letter.position, letter.attempts), (1, bad, 3), "{poison}");
        assert_eq!(letter.event_type.as_deref(), Some("order-placed"));
        assert!(letter.payload.as_ref().is_some_and(|it| it.as_str().contains(&poison.to_string())));
        let error = letter.error.as_deref().unwrap_or_default();
        let expected = match poison {
            REFUSED => "refuses",
            PANICS => "panicked: a total that no handler takes",
            BAD_STATEMENT => "division by zero",
            _ => "took longer than",
        };
        assert!(error.contains(expected), "{error}");
        assert_eq!(projections.metrics("totals").await?.dead_letters, 1);
    }
    Ok(())
}

#[tokio::test]
async fn events_of_a_parked_key_wait_and_are_requeued_in_their_order() -> TestResult {
    let (_db, store) = totals().await?;
    let kim = CustomerId::default();
    let stream = uuid::Uuid::now_v7();
    let append =
        async |total| store.events().append_stream(stream, rillflow::Expected::Any, [placed(kim, total)]).await;
    append(1).await?;
    append(REFUSED).await?;
    append(2).await?;
    place(&store, kim, 3).await?; // another stream goes on
    let projections = store.projections().with_config(config());
    projections.run_until_idle("totals").await?;
    append(4).await?;
    projections.run_until_idle("totals").await?;
    assert_eq!(written(&store).await?, [1, 3]);
    let letters = projections.dlq_list("totals", 10).await?;
    assert_eq!(letters.iter().map(|it| it.error.is_some()).collect::<Vec<_>>(), [true, false, false]);
    assert!(letters.iter().all(|it| it.keys == [stream.to_string()]));

    // it still fails: nothing moves, and the attempt is counted
    let tried = projections.dlq_requeue("totals", letters[2].id).await?;
    assert_eq!((tried.applied, tried.waiting), (0, 3));
    assert!(matches!(tried.failed, Some((id, Error::Projection { .. })) if id == letters[0].id));
    assert_eq!(projections.dlq_list("totals", 10).await?[0].attempts, 4);

    sqlx::raw_sql("DELETE FROM refused").execute(store.pool()).await?;
    let dry = projections.dlq_dry_run("totals", letters[0].id).await?;
    assert_eq!((dry.applied, dry.waiting), (3, 0));
    assert_eq!(written(&store).await?, [1, 3], "a dry run leaves nothing");
    let done = projections.dlq_requeue("totals", letters[0].id).await?;
    assert_eq!((done.applied, done.waiting), (3, 0));
    assert_eq!(written(&store).await?, [1, REFUSED, 2, 3, 4]);
    assert!(projections.dlq_list("totals", 10).await?.is_empty());
    append(5).await?;
    projections.run_until_idle("totals").await?;
    assert_eq!(written(&store).await?, [1, REFUSED, 2, 3, 4, 5], "the key waits no more");

    let gone = projections.dlq_requeue("totals", letters[0].id).await;
    assert!(matches!(gone, Err(Error::UnknownDeadLetter { .. })));
    Ok(())
}

#[tokio::test]
async fn deleting_a_dead_letter_lets_those_behind_it_go_on() -> TestResult {
    let (_db, store) = totals().await?;
    let kim = CustomerId::default();
    let stream = uuid::Uuid::now_v7();
    let events = [placed(kim, 1), placed(kim, REFUSED), placed(kim, 2)];
    store.events().append_stream(stream, rillflow::Expected::Any, events).await?;
    let projections = store.projections().with_config(config());
    projections.run_until_idle("totals").await?;
    let letters = projections.dlq_list("totals", 10).await?;
    let deleted = projections.dlq_delete("totals", letters[0].id).await?;
    assert_eq!(deleted.applied, 1);
    assert_eq!(written(&store).await?, [1, 2]);
    assert!(projections.dlq_list("totals", 10).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_a_deleted_stream_held_is_in_no_dead_letter() -> TestResult {
    let (_db, store) = totals().await?;
    let stream = uuid::Uuid::now_v7();
    let events = [placed(CustomerId::default(), REFUSED)];
    store.events().append_stream(stream, rillflow::Expected::Any, events).await?;
    let projections = store.projections().with_config(config());
    projections.run_until_idle("totals").await?;
    store.events().delete_stream(stream).await?;
    let letters = projections.dlq_list("totals", 10).await?;
    assert_eq!(letters.iter().filter(|it| it.payload.is_none()).count(), 1);
    assert_eq!(projections.dlq_requeue("totals", letters[0].id).await?.applied, 1);
    assert!(written(&store).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn the_owner_of_a_projection_goes_on_after_a_requeue() -> TestResult {
    let (_db, store) = totals().await?;
    let kim = CustomerId::default();
    let daemon = store.start_daemon_with(config()).await?;
    let bad = place(&store, kim, REFUSED).await?;
    store.wait_for("totals", bad, SOON).await?;
    sqlx::raw_sql("DELETE FROM refused").execute(store.pool()).await?;
    let letter = store.projections().dlq_list("totals", 10).await?.remove(0);
    store.projections().dlq_requeue("totals", letter.id).await?;
    let last = place(&store, kim, 7).await?;
    store.wait_for("totals", last, SOON).await?;
    assert_eq!(written(&store).await?, [REFUSED, 7]);
    daemon.shutdown().await;
    Ok(())
}

#[test]
fn the_policy_is_part_of_the_projection() {
    assert_eq!(<Totals as rillflow::projections::SqlProjection>::ON_FAILURE, OnFailure::Park);
}

/// What is done, in the order in which it is done.
struct Done;

#[projection(name = "done", events = OrderEvent, on_failure = skip, ignore(Shipped, Cancelled))]
impl Done {
    async fn on_placed(tx: &mut Transaction<'_, Postgres>, e: &Placed) -> Result<(), rillflow::BoxError> {
        let insert = "INSERT INTO done (total) SELECT $1 WHERE NOT EXISTS (SELECT FROM refused WHERE total = $1)";
        match sqlx::query(insert).bind(e.total).execute(&mut **tx).await?.rows_affected() {
            1 => Ok(()),
            _ => Err("a total that is refused".into()),
        }
    }
}

#[tokio::test]
async fn what_was_skipped_is_requeued_in_its_order_behind_what_came_after_it() -> TestResult {
    let (_db, store) = store_with(|it| it.sql_projection::<Done>()).await?;
    sqlx::raw_sql(
        "CREATE TABLE done (n serial, total bigint); CREATE TABLE refused (total bigint); \
         INSERT INTO refused VALUES (-1), (-2), (-3)",
    )
    .execute(store.pool())
    .await?;
    let (kim, stream, other) = (CustomerId::default(), uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    for (stream, total) in [(stream, 1), (stream, -1), (stream, 2), (other, -3), (stream, -2), (stream, 3)] {
        store.events().append_stream(stream, rillflow::Expected::Any, [placed(kim, total)]).await?;
    }
    let projections = store.projections().with_config(config());
    projections.run_until_idle("done").await?;
    let done = async || -> sqlx::Result<Vec<i64>> {
        sqlx::query_scalar("SELECT total FROM done ORDER BY n").fetch_all(store.pool()).await
    };
    assert_eq!(done().await?, [1, 2, 3], "nothing waits behind what is skipped");

    // the first of the key fails still, so the second is not taken before it
    sqlx::raw_sql("DELETE FROM refused WHERE total = -2").execute(store.pool()).await?;
    let key = stream.to_string();
    let tried = projections.dlq_requeue_key("done", &key).await?;
    assert_eq!((tried.applied, tried.waiting, tried.failed.is_some()), (0, 2, true));
    sqlx::raw_sql("DELETE FROM refused").execute(store.pool()).await?;
    let tried = projections.dlq_requeue_key("done", &key).await?;
    assert_eq!((tried.applied, tried.waiting, tried.failed.is_some()), (2, 0, false));
    assert_eq!(done().await?, [1, 2, 3, -1, -2], "in their order, and later than what came after them");
    let letters = projections.dlq_list("done", 10).await?;
    assert_eq!(letters.iter().map(|it| it.keys.clone()).collect::<Vec<_>>(), [[other.to_string()]]);
    assert_eq!(projections.dlq_requeue_key("done", &key).await?.applied, 0, "there is none any more");
    assert_eq!(projections.dlq_requeue("done", letters[0].id).await?.applied, 1);
    Ok(())
}

/// A handler that is no `async fn`: it panics before there is a future.
struct Hasty;

impl rillflow::projections::ProjectionHandler for Hasty {
    fn apply(
        &self,
        event_type: &str,
        _: &rillflow::RawJson,
        at: &EventEnvelope,
        _: &mut Transaction<'_, Postgres>,
    ) -> impl Future<Output = Result<(), rillflow::BoxError>> + Send {
        assert!(at.global_seq > 1, "no {event_type} at the beginning");
        std::future::ready(Ok(()))
    }

    fn on_failure(&self) -> OnFailure {
        OnFailure::Skip
    }
}

#[tokio::test]
async fn a_handler_that_panics_before_its_future_is_there_stops_nothing() -> TestResult {
    let (_db, store) = store_with(|it| it.projection_handler("hasty", Hasty)).await?;
    let daemon = store.start_daemon_with(config()).await?;
    place(&store, CustomerId::default(), 1).await?;
    let last = place(&store, CustomerId::default(), 2).await?;
    store.wait_for("hasty", last, crate::support::SOON).await?;
    let letters = store.projections().dlq_list("hasty", 10).await?;
    assert!(letters[0].error.as_deref().is_some_and(|it| it.contains("at the beginning")), "{letters:?}");
    daemon.shutdown().await;
    Ok(())
}

/// Cannot empty what it wrote, and says so with a character that PostgreSQL does not store.
struct Stubborn<const VERSION: i32>;

impl<const VERSION: i32> ProjectionHandler for Stubborn<VERSION> {
    async fn apply(
        &self,
        _: &str,
        _: &RawJson,
        _: &EventEnvelope,
        _: &mut Transaction<'_, Postgres>,
    ) -> Result<(), BoxError> {
        Ok(())
    }

    async fn reset(&self, _: &mut Transaction<'_, Postgres>) -> Result<(), BoxError> {
        Err("not to be\0 emptied".into())
    }

    fn version(&self) -> i32 {
        VERSION
    }
}

#[tokio::test]
async fn what_stops_a_projection_is_noted_also_when_postgresql_does_not_store_its_words() -> TestResult {
    let (db, old) = store_with(|it| it.projection_handler("stubborn", Stubborn::<1>)).await?;
    place(&old, CustomerId::default(), 1).await?;
    old.projections().run_until_idle("stubborn").await?;
    let new = Store::builder(db.url()).projection_handler("stubborn", Stubborn::<2>).build().await?;
    let _daemon = new.start_daemon().await?;
    let noted = async || {
        let status = new.projections().status("stubborn").await?;
        Ok(status.error.is_some_and(|it| it.contains("not to be emptied")))
    };
    Ok(until("the failure is noted", noted).await?)
}
