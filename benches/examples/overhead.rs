//! What spans and metrics cost an operation: `cargo run --release --manifest-path benches/Cargo.toml --example overhead`.
//!
//! The commit of a session that holds nothing is an operation that asks no database: what it takes is the operation's span,
//! its time, and next to nothing else.

use std::time::{Duration, Instant};

use rillflow::Store;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

const OPERATIONS: u32 = 100_000;
const ROUNDS: usize = 15;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = PgPoolOptions::new().connect_lazy_with(PgConnectOptions::new_without_pgpass());
    let store = Store::builder(pool).build().await?;
    let (mut alone, mut heard) = (Vec::new(), Vec::new());
    // in turns, so that whatever else the machine does meets both alike
    for _ in 0..ROUNDS {
        alone.push(round(&store).await?);
        let listening = tracing::subscriber::set_default(tracing_subscriber::registry());
        heard.push(round(&store).await?);
        drop(listening);
    }
    println!("nobody listens       {:>6} ns per operation", least(&alone));
    println!("a tracing registry   {:>6} ns per operation", least(&heard));
    Ok(())
}

/// How long one operation took.
async fn round(store: &Store) -> rillflow::Result<Duration> {
    let mut session = store.session();
    let began = Instant::now();
    for _ in 0..OPERATIONS {
        session.commit().await?;
    }
    Ok(began.elapsed() / OPERATIONS)
}

/// The round that was disturbed least, in nanoseconds.
fn least(rounds: &[Duration]) -> u128 {
    rounds.iter().min().map_or(0, Duration::as_nanos)
}
