//! What tests do to a store: connections that are cut, a network that stalls, processes that stand still or are killed.

mod process;
mod proxy;

use std::time::{Duration, Instant};

pub(crate) use process::{Process, say, wait_for_word};
pub(crate) use proxy::Proxy;
use sqlx::{Connection, PgConnection};

/// Has the server end every connection to a database but its own, so many times, 50 ms apart: time enough for most
/// statements to be under way and for few to be done. Where the machine is so busy that a new connection and a question
/// take longer, it waits that much longer, as nobody would ever get anything done. Returns how many it ended.
pub(crate) async fn cut_every_50_ms(url: &str, times: u32) -> sqlx::Result<i64> {
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let mut cuts = 0;
    for _ in 0..times {
        let begun = Instant::now();
        let mut killer = PgConnection::connect(url).await?;
        sqlx::query("SELECT count(*) FROM events").execute(&mut killer).await?;
        let takes = begun.elapsed();
        tokio::time::sleep((4 * takes).max(Duration::from_millis(50)).saturating_sub(takes)).await;
        cuts += sqlx::query_scalar::<_, i64>(cut).fetch_one(&mut killer).await?;
    }
    Ok(cuts)
}
