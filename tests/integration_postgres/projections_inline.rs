use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rillflow::Lifecycle::{Async, Inline};
use rillflow::{Error, Expected, SchemaConfig, Severity, Store};
use uuid::Uuid;

use crate::orders::{CustomerId, OrderEvent, placed};
use crate::projections_admin::place;
use crate::projections_rebuild::{NAME, Spending, Spendings, next, quick};
use crate::support::{Db, SOON, TestResult, store_with, tick};

/// What the log makes of it, `factor` times. Inline, documents see events in the order of commits, which is not always that
/// of positions.
async fn assert_complete(store: &Store, factor: i64) -> TestResult {
    // an append that was refused holds the mark until it is rolled back
    let last: i64 = sqlx::query_scalar("SELECT max(global_seq) FROM events").fetch_one(store.pool()).await?;
    let settled = async {
        while store.events().safe_mark().await? < last {
            tokio::task::yield_now().await;
        }
        Ok::<_, Error>(())
    };
    tokio::time::timeout(SOON, settled).await??;
    let mut expected: BTreeMap<Uuid, (i64, usize, BTreeSet<i64>)> = BTreeMap::new();
    for event in store.events().read_all(0, 1_000_000).await? {
        if &*event.typ == "order-placed"
            && let OrderEvent::Placed(e) = event.decode::<OrderEvent>()?
        {
            let spent = expected.entry(e.customer.0).or_default();
            spent.0 += e.total * factor;
            spent.1 += 1;
            spent.2.insert(event.global_seq);
        }
    }
    let stored = store.docs().query::<Spending>().fetch_all().await?;
    let stored = stored.into_iter().map(|doc| {
        let positions: BTreeSet<_> = doc.positions.iter().copied().collect();
        (doc.id.0, (doc.total, doc.positions.len(), positions))
    });
    assert_eq!(stored.collect::<BTreeMap<_, _>>(), expected, "none is missing, and none twice");
    Ok(())
}

/// Another program on the same database: it makes no schema.
async fn program(
    db: &Db,
    configure: impl FnOnce(rillflow::StoreBuilder) -> rillflow::StoreBuilder,
) -> rillflow::Result<Store> {
    configure(Store::builder(db.url())).build().await
}

fn is_refused(result: &Result<i64, Error>, is: i32, code: i32) -> bool {
    matches!(result, Err(Error::ReadModelVersion { name, stored, wanted })
        if name == NAME && (*stored, *wanted) == (is, code))
}

async fn stored_version(store: &Store) -> rillflow::Result<i32> {
    Ok(store.projections().status(NAME).await?.version)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_rolling_deploy_no_read_model_is_half_of_one_version_and_half_of_the_other() -> TestResult {
    let (db, old) = store_with(|it| it.projection::<Spendings>(Inline)).await?;
    let new = program(&db, |it| it.projection::<next::Spendings>(Inline)).await?;
    let customers: Arc<[CustomerId]> = (0..5).map(|n| CustomerId(Uuid::from_u128(n + 1))).collect();
    for n in 0..300 {
        place(&old, customers[n % 5], 1).await?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let refused = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let writers: Vec<_> = [(&old, 1, 2), (&old, 1, 2), (&new, 2, 1), (&new, 2, 1)]
        .into_iter()
        .map(|(store, code, other)| {
            let (store, stop, customers, refused) = (store.clone(), stop.clone(), customers.clone(), refused.clone());
            tokio::spawn(async move {
                let mut written = 0;
                while !stop.load(Ordering::Relaxed) {
                    let placed = place(&store, customers[written % 5], 1).await;
                    if is_refused(&placed, other, code) {
                        refused[code as usize - 1].fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    placed?;
                    written += 1;
                }
                Ok::<_, Error>(written)
            })
        })
        .collect();
    let daemon = new.start_daemon_with(quick()).await?;
    let swapped = async {
        while stored_version(&new).await? == 1 {
            // whatever serves is of one version: no document is between the two
            for doc in new.docs().query::<Spending>().fetch_all().await? {
                let events = doc.positions.len() as i64;
                assert!([events, events * 100].contains(&doc.total), "{doc:?}");
            }
        }
        Ok::<_, Error>(())
    };
    tokio::time::timeout(SOON, swapped).await??;
    let after: Vec<_> = refused.iter().map(|it| it.load(Ordering::Relaxed)).collect();
    let refused_now = async {
        while refused[0].load(Ordering::Relaxed) < after[0] + 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, refused_now).await?;
    place(&new, customers[0], 1).await?;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        assert!(writer.await?? > 0, "each program wrote while its version served");
    }
    assert!(after[1] > 0, "the new program waited for its model");
    assert_complete(&new, 100).await?;
    daemon.shutdown().await;

    // back to the old program, by its own command
    assert!(is_refused(&place(&old, customers[0], 1).await, 2, 1));
    old.projections().rebuild(NAME, |_| {}).await?;
    place(&old, customers[0], 1).await?;
    assert!(is_refused(&place(&new, customers[0], 1).await, 1, 2));
    assert_complete(&old, 1).await
}

#[tokio::test]
async fn whoever_looks_is_told_that_an_inline_model_is_of_another_version() -> TestResult {
    let (db, old) = store_with(|it| it.projection::<Spendings>(Inline)).await?;
    place(&old, CustomerId::default(), 1).await?;
    let new = program(&db, |it| it.projection::<next::Spendings>(Inline)).await?;
    let config = SchemaConfig::single_tenant();
    old.schema().assert(&config).await?;

    let status = new.projections().status(NAME).await?;
    assert_eq!((status.version, status.status.as_str()), (1, "inline"));
    assert!(status.error.is_some_and(|why| why.contains("rillflow projections rebuild spendings")));
    assert!(new.projections().list().await?[0].error.is_some());
    let asserted = new.schema().assert(&config).await;
    assert!(matches!(asserted, Err(Error::ReadModelVersion { stored: 1, wanted: 2, .. })), "{asserted:?}");
    let found = new.diagnose().await?;
    let finding = found.iter().find(|it| it.check == "projection").ok_or("nothing was found")?;
    assert_eq!(finding.severity, Severity::Critical, "{finding:?}");

    // a sync changes nothing about it: that takes the events
    new.schema().sync(&config).await?;
    assert_eq!(stored_version(&new).await?, 1);
    assert_eq!(new.projections().build_inline().await?, [NAME]);
    assert!(new.projections().build_inline().await?.is_empty());
    new.schema().assert(&config).await?;
    assert!(new.diagnose().await?.iter().all(|it| it.check != "projection"));
    let status = new.projections().status(NAME).await?;
    assert_eq!((status.version, status.error), (2, None));
    // a program without the type knows that there is one
    let stock = program(&db, |it| it).await?;
    assert_eq!(stock.projections().list().await?[0].version, 2);
    assert!(matches!(
        old.projections().build_inline().await,
        Err(Error::ReadModelVersion { stored: 2, wanted: 1, .. })
    ));
    Ok(())
}

#[tokio::test]
async fn nothing_of_a_refused_write_stays_whichever_way_it_came() -> TestResult {
    let (db, old) = store_with(|it| it.projection::<Spendings>(Inline)).await?;
    let kim = CustomerId::default();
    place(&old, kim, 1).await?;
    let new = program(&db, |it| it.projection::<next::Spendings>(Inline)).await?;
    let before = new.events().read_all(0, 1000).await?.len();

    let mut session = new.session();
    session.append(Uuid::now_v7(), Expected::NoStream, [placed(kim, 1)])?;
    let committed = session.commit().await.map(|it| it.position());
    assert!(is_refused(&committed, 1, 2), "{committed:?}");
    let mut tx = new.pool().begin().await?;
    let appended = new.events().append_in_tx(&mut tx, Uuid::now_v7(), Expected::Any, vec![placed(kim, 1)]).await;
    assert!(is_refused(&appended.map(|it| it.position()), 1, 2));
    tx.rollback().await?;
    // what another version wrote may not even be readable
    sqlx::raw_sql("UPDATE docs_spendings SET doc = jsonb_set(doc, '{positions}', '1')").execute(new.pool()).await?;
    assert!(is_refused(&place(&new, kim, 1).await, 1, 2));
    assert_eq!(new.events().read_all(0, 1000).await?.len(), before);

    // what it does not handle changes no document, and goes on
    new.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
    new.projections().build_inline().await?;
    assert_complete(&new, 100).await
}

#[tokio::test]
async fn two_processes_that_build_the_same_model_are_both_ready_afterwards() -> TestResult {
    let (db, old) = store_with(|it| it.projection::<Spendings>(Inline)).await?;
    for n in 0..50 {
        place(&old, CustomerId(Uuid::from_u128(n)), 1).await?;
    }
    let (one, two) = (
        program(&db, |it| it.projection::<next::Spendings>(Inline)).await?,
        program(&db, |it| it.projection::<next::Spendings>(Inline)).await?,
    );
    let (one_is, two_is) = (one.projections(), two.projections());
    let (first, second) = tokio::join!(one_is.build_inline(), two_is.build_inline());
    first?;
    second?;
    place(&one, CustomerId::default(), 1).await?;
    place(&two, CustomerId::default(), 1).await?;
    assert_complete(&one, 100).await
}

#[tokio::test]
async fn a_new_inline_projection_is_built_from_the_log_that_was_there_before_it() -> TestResult {
    let (db, before) = store_with(|it| it).await?;
    let kim = CustomerId::default();
    place(&before, kim, 1).await?;
    let store = program(&db, |it| it.projection::<Spendings>(Inline)).await?;
    store.schema().sync(&SchemaConfig::single_tenant()).await?;
    assert!(is_refused(&place(&store, kim, 2).await, 0, 1), "it would hold the half of it");
    store.projections().build_inline().await?;
    place(&store, kim, 2).await?;
    assert_complete(&store, 1).await
}

#[tokio::test]
async fn a_projection_that_becomes_inline_or_async_is_built_anew() -> TestResult {
    let (db, behind) = store_with(|it| it.projection::<Spendings>(Async)).await?;
    let kim = CustomerId::default();
    place(&behind, kim, 1).await?;
    let daemon = behind.start_daemon_with(quick()).await?;
    let last = place(&behind, kim, 2).await?;
    behind.wait_for(NAME, last, SOON).await?;

    let inline = program(&db, |it| it.projection::<Spendings>(Inline)).await?;
    assert!(is_refused(&place(&inline, kim, 3).await, 0, 1), "what ran behind may lack the last events");
    inline.projections().build_inline().await?;
    place(&inline, kim, 4).await?;
    // the daemon of the program before has lost it for good
    let last = place(&behind, kim, 5).await?;
    daemon.shutdown().await;
    inline.projections().rebuild(NAME, |_| {}).await?; // for the event of a program that knows it as async
    assert_complete(&inline, 1).await?;

    let daemon = behind.start_daemon_with(quick()).await?;
    let taken = async {
        while behind.projections().status(NAME).await?.version == 0 {
            tokio::task::yield_now().await;
        }
        Ok::<_, Error>(())
    };
    tokio::time::timeout(SOON, taken).await??;
    behind.wait_for(NAME, last, SOON).await?;
    assert_complete(&behind, 1).await?;
    assert!(is_refused(&place(&inline, kim, 6).await, 0, 1), "its documents would count twice");
    daemon.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn an_inline_projection_has_metrics() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<Spendings>(Inline)).await?;
    let last = place(&store, CustomerId::default(), 1).await?;
    let metrics = store.projections().metrics(NAME).await?;
    assert!(metrics.inline);
    assert_eq!((metrics.position, metrics.lag_events, metrics.lag_seconds), (last, 0, 0.0));
    Ok(())
}
