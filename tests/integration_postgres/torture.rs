use std::time::Duration;

use rillflow::Expected;
use rillflow::testing::torture::Torture;
use uuid::Uuid;

use crate::support::{TestResult, store_with, tick, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_torture_no_event_is_lost_reordered_or_held_back() -> TestResult {
    let torture = Torture::new().duration(Duration::from_secs(4)).writers(8).readers(2);
    let report = torture.run().await?;
    assert!(report.is_clean(), "{torture:?}:\n{report}");
    assert!(report.events_stored > 100, "hardly anything happened:\n{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_others_hold_again_and_again_use_up_no_connections() -> TestResult {
    let (db, store) = store_with(|it| it.max_connections(20)).await?;
    let others = sqlx::PgPool::connect(db.url()).await?;
    let streams: Vec<_> = (0..6).map(|_| Uuid::now_v7()).collect();
    for round in 0..8 {
        let mut held = Vec::new();
        for stream in &streams[..3] {
            let mut tx = others.begin().await?;
            store.events().append_in_tx(&mut tx, *stream, Expected::Any, [tick(round)]).await?;
            held.push(tx);
        }
        let appends: Vec<_> = (0..24)
            .map(|n| {
                let (store, stream) = (store.clone(), streams[n % streams.len()]);
                tokio::spawn(async move { store.events().append_stream(stream, Expected::Any, [tick(n as i64)]).await })
            })
            .collect();
        // longer than a lane waits before it makes room for another
        tokio::time::sleep(Duration::from_millis(120)).await;
        for tx in held {
            tx.commit().await?;
        }
        for append in appends {
            append.await??;
        }
    }
    let few = async || Ok(store.pool().size() as usize - store.pool().num_idle() <= 4);
    Ok(until("hardly a connection is kept for appends, as nobody appends", few).await?)
}
