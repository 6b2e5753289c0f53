//! The stock `rillflow`: all that needs no types of an application. See `rillflow::cli` to mount the rest.

use std::process::ExitCode;

use rillflow::cli::{App, run};

#[tokio::main]
async fn main() -> ExitCode {
    run(App::stock(), std::env::args_os()).await
}
