//! Writers, readers and bystanders do to a store all that they may, then every event is counted:
//! `cargo run --release --features cli --example torture -- --seconds 60 --writers 16`.
//!
//! Uses databases of its own on the server of `DATABASE_URL` when it is set; otherwise a PostgreSQL of its own, with
//! `fsync` on and prepared transactions allowed, that is gone afterwards. Ends with 1 when anything was lost, doubled,
//! reordered or held back. `rillflow torture` does the same on the server of its `--database-url`.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use rillflow::testing::torture::{Report, Torture};
use rillflow_tests::private_server::PrivateServer;

#[derive(Debug, Parser)]
#[command(about = "Counts what a store loses, doubles, reorders or holds back under torture: nothing.")]
struct Arguments {
    /// How long the writers write.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many write.
    #[arg(long, default_value_t = 16)]
    writers: u16,
    /// How many read, beside the projection.
    #[arg(long, default_value_t = 3)]
    readers: u16,
    /// Send every append by itself.
    #[arg(long)]
    no_batching: bool,
    /// Where the dice begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Arguments {
    fn torture(&self) -> Torture {
        let duration = Duration::from_secs(self.seconds);
        let torture = Torture::new().duration(duration).writers(self.writers).readers(self.readers);
        torture.batch_appends(!self.no_batching).seed(self.seed)
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let torture = arguments.torture();
    let Arguments { seconds, writers, readers, seed, .. } = &arguments;
    println!("{writers} writers, {readers} readers and a projection for {seconds} s, seed {seed} ...");
    let report = if std::env::var_os("DATABASE_URL").is_some() {
        torture.run().await?
    } else {
        on_a_server_of_its_own(&torture).await?
    };
    println!("\n{report}");
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn on_a_server_of_its_own(torture: &Torture) -> Result<Report, Box<dyn Error>> {
    let settings = ["max_connections=300", "max_prepared_transactions=10"];
    let Some(server) = PrivateServer::start(&settings).await? else {
        return Err("set DATABASE_URL".into());
    };
    Ok(torture.run_on(&server.url("postgres")).await?)
}
