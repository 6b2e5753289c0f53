//! Writers, readers and bystanders do to a store all that they may, then every event is counted:
//! `cargo run --release --example torture -- --seconds 60 --writers 16`.
//!
//! Uses a database of its own on the server of `DATABASE_URL` when it is set; otherwise a PostgreSQL of its own, with
//! `fsync` on and prepared transactions allowed, that is gone afterwards. Ends with 1 when anything was lost, doubled,
//! reordered or held back.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use rillflow::testing::TestDatabase;
use rillflow_tests::private_server::PrivateServer;
use rillflow_tests::torture::{Report, Torture};

#[derive(Debug, Parser)]
#[command(about = "Counts what a store loses, doubles, reorders or holds back under torture: nothing.")]
struct Arguments {
    /// How long the writers write.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many write.
    #[arg(long, default_value_t = 16)]
    writers: usize,
    /// How many read, beside the projection.
    #[arg(long, default_value_t = 3)]
    readers: usize,
    /// Send every append by itself.
    #[arg(long)]
    no_batching: bool,
    /// Where the dice begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let report = if std::env::var_os("DATABASE_URL").is_some() {
        on_the_given_server(&arguments).await?
    } else {
        on_a_server_of_its_own(&arguments).await?
    };
    print!("\n{report}");
    println!("\n{}", if report.is_clean() { "Nothing was lost, doubled, reordered or held back." } else { "FAILED" });
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn on_the_given_server(arguments: &Arguments) -> Result<Report, Box<dyn Error>> {
    let (database, elsewhere) = (TestDatabase::create().await?, TestDatabase::create().await?);
    println!("On the server of DATABASE_URL, in the database {}", database.name());
    let report = run(arguments, database.url(), elsewhere.url()).await;
    // closed here, as their drop cannot wait for the server of somebody else
    database.close().await?;
    elsewhere.close().await?;
    report
}

async fn on_a_server_of_its_own(arguments: &Arguments) -> Result<Report, Box<dyn Error>> {
    let settings = ["max_connections=300", "max_prepared_transactions=10"];
    let Some(server) = PrivateServer::start(&settings).await? else {
        return Err("set DATABASE_URL".into());
    };
    let url = server.create_database("torture").await?;
    println!("On a PostgreSQL of its own: {url}");
    run(arguments, &url, &server.url("postgres")).await
}

async fn run(arguments: &Arguments, url: &str, elsewhere: &str) -> Result<Report, Box<dyn Error>> {
    let &Arguments { seconds, writers, readers, no_batching, seed } = arguments;
    println!("{writers} writers, {readers} readers and a projection for {seconds} s, seed {seed} ...");
    let torture = Torture {
        url: url.to_owned(),
        elsewhere: Some(elsewhere.to_owned()),
        duration: Duration::from_secs(seconds),
        writers,
        readers,
        batch_appends: !no_batching,
        seed,
    };
    torture.run().await
}
