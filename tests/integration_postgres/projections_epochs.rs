use rillflow::Lifecycle::Async;
use rillflow::{Error, Store};

use crate::epochs::restore_to;
use crate::orders::{CustomerId, CustomerSales, SalesProjection};
use crate::projections_admin::place;
use crate::projections_rebuild::quick;
use crate::support::{SOON, TestResult, append_raw, store_with};

const SALES: &str = "customer-sales";

/// The positions that were folded, in their order.
async fn folded(store: &Store, customer: CustomerId) -> rillflow::Result<Vec<i64>> {
    Ok(store.docs().get::<CustomerSales>(&customer).await?.map_or(vec![], |(doc, _)| doc.positions))
}

async fn kept(store: &Store) -> sqlx::Result<(i32, i64)> {
    let row = "SELECT epoch, position FROM projections WHERE name = 'customer-sales'";
    sqlx::query_as(row).fetch_one(store.pool()).await
}

#[tokio::test]
async fn what_a_projection_passed_without_an_event_is_looked_at_again_in_another_epoch() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let kim = CustomerId::default();
    let first = place(&store, kim, 1).await?;
    for _ in 0..4 {
        append_raw(&store, "other", 1, "1").await?; // positions 2 to 5, which this projection passes
    }
    store.projections().run_until_idle(SALES).await?;
    assert_eq!(kept(&store).await?, (1, 5));

    restore_to(&store, 3).await?;
    let below = place(&store, kim, 2).await?;
    assert_eq!(below, 4, "below the checkpoint");
    let epoch = store.events().begin_epoch().await?;
    let next = place(&store, kim, 3).await?;
    store.projections().run_until_idle(SALES).await?;

    assert_eq!(folded(&store, kim).await?, [first, below, next]);
    assert_eq!(kept(&store).await?, (epoch.number, next));
    Ok(())
}

#[tokio::test]
async fn a_projection_whose_last_event_is_lost_stops_in_the_next_epoch_and_writes_nothing() -> TestResult {
    for reused in [false, true] {
        let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
        let kim = CustomerId::default();
        for total in 1..=3 {
            place(&store, kim, total).await?;
        }
        store.projections().run_until_idle(SALES).await?;
        restore_to(&store, 2).await?;
        if reused {
            assert_eq!(place(&store, kim, 4).await?, 3, "another event");
        }
        store.events().begin_epoch().await?;
        place(&store, kim, 5).await?;

        let refused = store.projections().run_until_idle(SALES).await;
        assert!(matches!(&refused, Err(Error::HistoryDiverged { name, position: 3 }) if name == SALES), "{refused:?}");
        assert_eq!((folded(&store, kim).await?, kept(&store).await?), (vec![1, 2, 3], (1, 3)));
    }
    Ok(())
}

#[tokio::test]
async fn an_epoch_that_lost_nothing_is_entered_by_the_daemon_and_doubles_nothing() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let kim = CustomerId::default();
    let first = place(&store, kim, 1).await?;
    append_raw(&store, "other", 1, "1").await?;
    store.projections().run_until_idle(SALES).await?;
    let epoch = store.events().begin_epoch().await?;
    let second = place(&store, kim, 2).await?;

    let daemon = store.start_daemon().await?;
    store.wait_for(SALES, second, SOON).await?;
    daemon.shutdown().await;
    assert_eq!(folded(&store, kim).await?, [first, second]);
    assert_eq!(kept(&store).await?.0, epoch.number);
    Ok(())
}

#[tokio::test]
async fn a_checkpoint_set_by_hand_is_good_for_the_next_epoch_too() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let kim = CustomerId::default();
    let first = place(&store, kim, 1).await?;
    store.projections().run_until_idle(SALES).await?;
    let passed = place(&store, kim, 2).await?;
    store.projections().reset_checkpoint(SALES, passed).await?; // as the caller wants: it is passed over
    store.events().begin_epoch().await?;
    let next = place(&store, kim, 3).await?;
    store.projections().run_until_idle(SALES).await?;
    assert_eq!(folded(&store, kim).await?, [first, next]);
    Ok(())
}

#[tokio::test]
async fn events_that_a_restore_took_away_are_not_handled_from_memory() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let kim = CustomerId::default();
    let daemon = store.start_daemon_with(quick()).await?;
    let first = place(&store, kim, 1).await?;
    store.wait_for(SALES, first, SOON).await?;
    // read by the daemon of this process, which goes on through the restore
    let lost = place(&store, kim, 2).await?;
    store.wait_for(SALES, lost, SOON).await?;

    restore_to(&store, first).await?;
    let row = format!(
        "UPDATE docs_customer_sales SET doc = jsonb_set(doc, '{{positions}}', '[{first}]'); \
         UPDATE projections SET position = {first}, event_position = {first}, lease_owner = NULL, \
         event_id = (SELECT event_id FROM events WHERE global_seq = {first})"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(row)).execute(store.pool()).await?;
    // it is taken up where the restore left it, and passes what it knew the log to hold
    let taken_up = async {
        while kept(&store).await?.1 < lost {
            tokio::task::yield_now().await;
        }
        Ok::<_, sqlx::Error>(())
    };
    tokio::time::timeout(SOON, taken_up).await??;
    assert_eq!(folded(&store, kim).await?, [first], "the second is in no log any more");
    store.events().begin_epoch().await?;
    let next = place(&store, kim, 3).await?;
    store.wait_for(SALES, next, SOON).await?;
    assert_eq!(folded(&store, kim).await?, [first, next]);
    daemon.shutdown().await;
    Ok(())
}
