use std::time::Duration;

use rillflow::Lifecycle::{Async, Inline};
use rillflow::{AtLeast, DaemonConfig, Document, Error, Query, compiled_query};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::orders::{CustomerId, CustomerSales, SalesProjection};
use crate::projections_admin::place;
use crate::served::{many, served};
use crate::support::{TestResult, store_with};

const SALES: &str = "customer-sales";

/// A collection of which the application takes care, with a name that begins like that of the read model.
#[derive(Debug, Serialize, Deserialize, Document)]
#[document(collection = "customer_sales_notes")]
struct Note {
    #[document(id)]
    id: i64,
}

#[compiled_query]
fn sales_of(customer: CustomerId) -> impl Query<Option<CustomerSales>> {
    CustomerSales::query().filter(|c| c.id == customer).one()
}

many!(CustomerSales, 20_000, |n| CustomerSales { id: CustomerId(Uuid::from_u128(n as u128)), ..Default::default() });
served!(sales_of(CustomerId(Uuid::from_u128(7))));

crate::layouts::declared!(Note);

#[tokio::test]
async fn a_query_right_behind_an_append_sees_it() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async).document::<Note>()).await?;
    let daemon = store.start_daemon().await?;
    let kim = CustomerId::default();
    for orders in 1..=20 {
        let position = place(&store, kim, 10).await?;
        let there = store.clone();
        // as a web server would: in a task of its own
        let found = tokio::spawn(async move { there.at_least(position).query(sales_of(kim)).await }).await??;
        assert_eq!(found.map(|it| it.orders), Some(orders));
    }
    let last = place(&store, kim, 10).await?;
    let written_here = CustomerSales::query().filter(|c| c.orders.eq(21)).count();
    let (notes, found, one) = store.at_least(last).query_all((Note::query(), sales_of(kim), written_here)).await?;
    assert_eq!((notes.len(), found.map(|it| it.orders), one), (0, Some(21), 1));
    daemon.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_query_of_a_paused_projection_gives_up_in_time_and_says_how_far_it_is() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async)).await?;
    let kim = CustomerId::default();
    let first = place(&store, kim, 1).await?;
    store.projections().run_until_idle(SALES).await?;
    let mut config = DaemonConfig::default();
    config.lease_ttl = Duration::from_millis(600);
    let daemon = store.start_daemon_with(config).await?;
    store.projections().pause(SALES).await?;
    let second = place(&store, kim, 2).await?;

    let short = Duration::from_millis(300);
    let given_up = store.at_least(second).within(short).query(sales_of(kim)).await;
    let as_far = |e: &Error| {
        matches!(e, Error::WaitTimeout { name, position, reached, waited } if name == SALES
        && *position == second && (first..second).contains(reached) && *waited == short)
    };
    assert!(given_up.as_ref().is_err_and(as_far), "{given_up:?}");
    assert_eq!(store.at_least(first).query(sales_of(kim)).await?.map(|it| it.orders), Some(1));

    store.projections().resume(SALES).await?;
    assert_eq!(store.at_least(second).query(sales_of(kim)).await?.map(|it| it.orders), Some(2));
    daemon.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_query_of_an_inline_projection_waits_for_nobody() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Inline)).await?;
    let kim = CustomerId::default();
    let position = place(&store, kim, 1).await?;
    let found = store.at_least(position).within(Duration::ZERO).query(sales_of(kim)).await?;
    assert_eq!(found.map(|it| it.orders), Some(1));
    assert!(AtLeast::TIMEOUT > Duration::ZERO);
    Ok(())
}

#[tokio::test]
async fn a_query_of_what_no_projection_keeps_is_refused_instead_of_answered_too_early() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Async).document::<Note>()).await?;
    let refused = store.at_least(1).query(Note::query()).await;
    assert!(matches!(&refused, Err(Error::NotProjected { query }) if query == "customer_sales_notes"), "{refused:?}");
    Ok(())
}
