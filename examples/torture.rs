//! Writers, readers and bystanders do to a store all that they may, then every event is counted:
//! `cargo run --release --example torture -- --seconds 60 --writers 16`.
//!
//! It is `rillflow torture`, whose flags it takes. Without `DATABASE_URL` it brings a PostgreSQL of its own, with `fsync`
//! on and prepared transactions allowed, that is gone afterwards.

use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;

use rillflow::cli::{App, run};
use rillflow_tests::private_server::PrivateServer;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    args.insert(1, "torture".into());
    if std::env::var_os("DATABASE_URL").is_some() {
        return Ok(run(App::stock(), args).await);
    }
    let settings = ["max_connections=300", "max_prepared_transactions=10"];
    let Some(server) = PrivateServer::start(&settings).await? else {
        return Err("set DATABASE_URL".into());
    };
    args.extend(["--database-url".into(), server.url("postgres").into()]);
    Ok(run(App::stock(), args).await)
}
