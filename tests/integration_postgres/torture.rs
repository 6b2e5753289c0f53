use std::time::Duration;

use rillflow::testing::TestDatabase;
use rillflow_tests::torture::Torture;

use crate::support::TestResult;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_torture_no_event_is_lost_reordered_or_held_back() -> TestResult {
    let (db, elsewhere) = (TestDatabase::create().await?, TestDatabase::create().await?);
    let torture = Torture {
        url: db.url().to_owned(),
        elsewhere: Some(elsewhere.url().to_owned()),
        duration: Duration::from_secs(4),
        writers: 8,
        readers: 2,
        batch_appends: true,
        seed: 1,
    };
    let report = torture.run().await?;
    assert!(report.is_clean(), "seed {}:\n{report}", torture.seed);
    assert!(report.stored() > 100, "hardly anything happened:\n{report}");
    Ok(())
}
