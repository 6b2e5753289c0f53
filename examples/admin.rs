//! An application's own command line: `cargo run --example admin -- --help`. With `DATABASE_URL` set,
//! try `schema plan`, `schema sync`, `doctor`, `docs collections`, `snapshots run-until-idle`.

use std::process::ExitCode;

use rillflow::cli::{App, run};
use rillflow::{Aggregate, Document, Event, Lifecycle, StoreBuilder, handlers, projection};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Deposited {
    cents: i64,
}

#[derive(Clone, Debug, Event)]
enum AccountEvent {
    #[event(name = "deposited")]
    Deposited(Deposited),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
#[aggregate(events = AccountEvent, stream = "account")]
struct Account {
    cents: i64,
}

#[handlers]
impl Account {
    fn on_deposited(&mut self, e: &Deposited) {
        self.cents += e.cents;
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, Document)]
#[document(collection = "balances")]
struct Balance {
    #[document(id)]
    id: Uuid,
    #[document(index)]
    cents: i64,
}

struct Balances;

#[projection(name = "balances", version = 1, events = AccountEvent, document = Balance, key = stream)]
impl Balances {
    fn on_deposited(balance: &mut Balance, e: &Deposited) {
        balance.cents += e.cents;
    }
}

/// What the application's server would call too, so that both mean the same store.
fn configure(store: StoreBuilder) -> StoreBuilder {
    store.projection::<Balances>(Lifecycle::Async)
}

#[tokio::main]
async fn main() -> ExitCode {
    run(App::new(configure).aggregate::<Account>(), std::env::args_os()).await
}
