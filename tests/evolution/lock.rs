use rillflow::testing::assert_schema_lock;
use rillflow::{Aggregate, Document, Event, handlers};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

#[derive(Serialize, Deserialize)]
struct Deposited {
    cents: i64,
    from: Origin,
}

/// serde reads such an enum through a buffer, so its form is known by samples.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Origin {
    Cash,
    Account { number: String },
}

fn deposited_v1(mut old: Value) -> Value {
    old["from"] = serde_json::json!({ "kind": "cash" });
    old
}

#[derive(Serialize, Deserialize)]
struct Closed {
    reason: Option<String>,
}

#[derive(Event)]
enum AccountEvent {
    #[event(name = "deposited", was = "paid", version = 2, upcast(1 => json deposited_v1))]
    Deposited(Deposited),
    Closed(Closed),
}

#[derive(Default, Serialize, Deserialize, Aggregate)]
#[aggregate(events = AccountEvent, stream = "account")]
struct Account {
    cents: i64,
    state: State,
}

#[derive(Default, Serialize, Deserialize)]
enum State {
    #[default]
    Open,
    Closed {
        reason: String,
    },
}

#[handlers]
impl Account {
    fn on_deposited(&mut self, e: &Deposited) {
        self.cents += e.cents;
    }

    fn on_closed(&mut self, e: &Closed) {
        self.state = State::Closed { reason: e.reason.clone().unwrap_or_default() };
    }
}

#[derive(Serialize, Deserialize, Document)]
#[document(collection = "locked_balances")]
struct Balance {
    #[document(id)]
    id: Uuid,
    cents: i64,
}

fn deposited(from: Origin) -> AccountEvent {
    AccountEvent::Deposited(Deposited { cents: 7, from })
}

#[test]
fn what_is_stored_can_be_read() {
    assert_schema_lock!(
        events = [AccountEvent => [deposited(Origin::Cash), deposited(Origin::Account { number: "7".to_owned() })]],
        aggregates = [Account],
        documents = [Balance],
    );
}

#[test]
fn without_samples_it_asks_for_them() {
    let refused = std::panic::catch_unwind(|| {
        assert_schema_lock!(events = [AccountEvent], aggregates = [Account], documents = [Balance]);
    });
    let message = crate::kit::text_of(refused);
    assert!(
        message.contains("event `deposited` version 2 (Deposited): serde does not say what stands at `from`"),
        "{message}"
    );
    assert!(message.contains("events = [YourEvents => [sample, ..]]"), "{message}");
}

#[test]
fn another_file_is_named_first() {
    let refused = std::panic::catch_unwind(|| {
        assert_schema_lock!(lock = concat!(env!("CARGO_TARGET_TMPDIR"), "/no-such.lock"), documents = [Balance])
    });
    let message = crate::kit::text_of(refused);
    assert!(
        message.contains("no-such.lock has it")
            && message.contains("document `locked_balances` (Balance) is not in the lock"),
        "{message}"
    );
}
