//! An application's own binary, with the command line mounted.

#[path = "../domain.rs"]
mod domain;

use std::process::ExitCode;

use rillflow::cli::{App, run};

#[tokio::main]
async fn main() -> ExitCode {
    run(App::new(domain::configure).aggregate::<domain::Counter>(), std::env::args_os()).await
}
