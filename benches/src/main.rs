//! Rillflow beside hand-written SQL, in one interleaved run: `cargo run --release --manifest-path benches/Cargo.toml -- all`.
//!
//! Prints ratios: 1.00 is hand-written SQL on tokio-postgres with one connection per worker. See `README.md`.

mod contest;
mod contestants;
mod domain;
mod processor;
mod server;

use clap::{Parser, ValueEnum};

use contest::{Case, Contest};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// A1, A2, A3: append.
    Append,
    /// A4: load and fold a stream.
    Load,
    /// B1: read all events. B2: catch up with an async projection.
    Read,
    /// C1 to C4: documents.
    Documents,
    /// Every case.
    All,
}

#[derive(Debug, Parser)]
#[command(about = "Rillflow beside hand-written SQL: ratios, and statements per operation.")]
struct Arguments {
    /// Which cases.
    #[arg(value_enum, default_value = "all")]
    what: What,
    /// How long each contestant runs in each case, in all rounds together.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// In how many rounds, taken in turns.
    #[arg(long, default_value_t = 4)]
    rounds: usize,
    /// Only cases whose name contains this, such as `A1`.
    #[arg(long)]
    only: Option<String>,
    /// Only contestants whose name contains this; the first of them is what the others are measured by.
    #[arg(long)]
    who: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let server = server::Server::start().await?;
    let mut contestants = contestants::all();
    contestants.retain(|it| arguments.who.as_deref().is_none_or(|who| it.name().contains(who)));
    let contest = Contest { server, contestants, seconds: arguments.seconds, rounds: arguments.rounds.max(1) };
    contest.introduce();
    for case in Case::ALL {
        let wanted = arguments.what == What::All || arguments.what == case.kind();
        if wanted && arguments.only.as_deref().is_none_or(|only| case.name().contains(only)) {
            contest.run(case).await?;
        }
    }
    Ok(())
}
