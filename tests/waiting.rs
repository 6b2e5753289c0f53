//! Waiting for what must come, with one limit for all.

use std::time::{Duration, Instant};

/// What must come, comes within this on a machine that is ten times slower too. A test that waits for what never comes
/// fails then instead of hanging.
pub const SOON: Duration = Duration::from_secs(120);

/// How long to rest between two looks: short beside what is waited for, and long enough not to be in its way.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until it holds.
///
/// # Errors
///
/// That of looking.
///
/// # Panics
///
/// When it does not hold [`SOON`].
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> rillflow::Result<bool>) -> rillflow::Result<()> {
    let looking = async {
        while !holds().await? {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    };
    tokio::time::timeout(SOON, looking).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// As [`until`], where nothing is async.
///
/// # Panics
///
/// When it does not hold [`SOON`].
pub fn blocking_until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < SOON, "not in time: {what}");
        std::thread::sleep(PAUSE);
    }
}
