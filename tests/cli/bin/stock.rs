//! The stock binary, as `rillflow/src/bin/rillflow.rs` is: here it is known to be built before the tests run.

use std::process::ExitCode;

use rillflow::cli::{App, run};

#[tokio::main]
async fn main() -> ExitCode {
    run(App::stock(), std::env::args_os()).await
}
