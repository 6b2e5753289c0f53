use rillflow::{Aggregate, Document, Event, EventEnvelope, Expected, Lifecycle, handlers, projection};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{SOON, TestResult, append_raw, store_with, tick};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Deposited {
    cents: i64,
}

/// The first version, called `paid`, counted in whole units.
fn deposited_v1(old: Value) -> Value {
    json!({ "cents": old["units"].as_i64().unwrap_or_default() * 100 })
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Closed {}

#[derive(Clone, Debug, Event)]
enum AccountEvent {
    #[event(name = "deposited", was = "paid", version = 2, upcast(1 => json deposited_v1))]
    Deposited(Deposited),
    Closed(Closed),
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(events = AccountEvent, stream = "account")]
struct Account {
    cents: i64,
}

#[handlers(ignore(Closed))]
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
    cents: i64,
    /// The stored names, as they were read.
    names: Vec<String>,
}

struct Balances;

#[projection(name = "balances", events = AccountEvent, document = Balance, key = stream, ignore(Closed))]
impl Balances {
    fn on_deposited(doc: &mut Balance, e: &Deposited, at: &EventEnvelope) {
        doc.cents += e.cents;
        doc.names.push(at.typ.to_string());
    }
}

fn old(units: i64) -> Event {
    Event::new("paid", &json!({ "units": units }))
}

fn new(cents: i64) -> Event {
    AccountEvent::Deposited(Deposited { cents }).into()
}

crate::layouts::declared!(Balance);

#[tokio::test]
async fn events_stored_under_an_old_name_and_version_are_folded_into_the_aggregate() -> TestResult {
    let (_db, store) = store_with(|builder| builder).await?;
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::Any, [old(3), new(7), old(1)]).await?;

    let account = store.aggregate::<Account>(id);
    assert_eq!(account.load().await?.state, Account { cents: 407 });
    let decided = account.decide(|account| Ok::<_, String>(vec![deposit(account.cents)])).await?;

    assert_eq!((decided.state, decided.version), (Account { cents: 814 }, 4));
    let stored: Vec<(String, i32)> =
        sqlx::query_as("SELECT type, type_version FROM events ORDER BY stream_seq").fetch_all(store.pool()).await?;
    assert_eq!(stored[2..], [("paid".to_owned(), 1), ("deposited".to_owned(), 2)], "only new names are written");
    Ok(())
}

fn deposit(cents: i64) -> AccountEvent {
    AccountEvent::Deposited(Deposited { cents })
}

#[tokio::test]
async fn a_projection_asks_the_database_for_old_names_too() -> TestResult {
    let (_db, store) = store_with(|builder| builder.projection::<Balances>(Lifecycle::Async)).await?;
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::Any, [old(3), tick(1), new(7)]).await?;
    append_raw(&store, "paid", 2, r#"{"cents": 5}"#).await?;
    let daemon = store.start_daemon().await?;

    let last = store.events().append_stream(id, Expected::Any, [old(1)]).await?.position();
    store.wait_for("balances", last, SOON).await?;

    let (balance, _) = store.docs().get::<Balance>(&id).await?.ok_or("no balance")?;
    assert_eq!((balance.cents, balance.names), (407, vec!["paid".into(), "deposited".into(), "paid".into()]));
    let all: i64 = sqlx::query_scalar("SELECT sum((doc->>'cents')::bigint)::bigint FROM docs_balances")
        .fetch_one(store.pool())
        .await?;
    assert_eq!(all, 412, "and an old name at the present version, by other software");
    daemon.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn an_inline_projection_folds_what_is_appended_under_an_old_name() -> TestResult {
    let (_db, store) = store_with(|builder| builder.projection::<Balances>(Lifecycle::Inline)).await?;
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::Any, [old(3), new(7)]).await?;

    let (balance, _) = store.docs().get::<Balance>(&id).await?.ok_or("no balance")?;
    assert_eq!(balance.cents, 307);
    Ok(())
}
