//! What the event macros write, without a database.
#![allow(clippy::unwrap_used, reason = "a test that fails should panic")]

use rillflow::{Aggregate, Error, Event, EventPayload, EventSet, EventType, handlers};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

// ---------- events ----------

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Placed {
    customer: Uuid,
    total: i64,
    currency: String,
}

/// The second version had no currency.
#[derive(Serialize, Deserialize)]
struct PlacedV2 {
    customer: Uuid,
    total: i64,
}

/// The first version counted in whole units.
#[derive(Serialize, Deserialize)]
struct PlacedV1 {
    customer: Uuid,
    units: i64,
}

fn placed_v1(old: PlacedV1) -> PlacedV2 {
    PlacedV2 { customer: old.customer, total: old.units * 100 }
}

fn placed_v2(old: PlacedV2) -> Placed {
    Placed { customer: old.customer, total: old.total, currency: "EUR".to_owned() }
}

mod payloads {
    use super::{Deserialize, Serialize, Uuid};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(crate) struct OrderShipped {
        pub(crate) tracking: String,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(crate) struct Merged {
        pub(crate) customers: Vec<Uuid>,
    }
}
use payloads::Merged;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cancelled {
    customer: Option<Uuid>,
}

#[derive(Clone, Debug, PartialEq, Event)]
enum OrderEvent {
    #[event(name = "order-placed", version = 3, upcast(2 => placed_v2, 1 => placed_v1))]
    Placed(Placed),
    OrderShipped(payloads::OrderShipped),
    #[event(version = 1)]
    Cancelled(Cancelled),
    #[event(name = "customers.merged")]
    Merged(Merged),
}

const ANN: Uuid = Uuid::from_u128(1);
const BOB: Uuid = Uuid::from_u128(2);

fn placed(customer: Uuid, total: i64) -> OrderEvent {
    OrderEvent::Placed(Placed { customer, total, currency: "EUR".to_owned() })
}

#[test]
fn names_and_versions_are_as_written_or_follow_from_the_variant() {
    let named = |name, version| EventType { name, version };
    assert_eq!(
        OrderEvent::TYPES,
        [named("order-placed", 3), named("order-shipped", 1), named("cancelled", 1), named("customers.merged", 1)]
    );
    assert_eq!(placed(ANN, 1).event_type(), named("order-placed", 3));
    assert_eq!(<Cancelled as EventPayload>::TYPE, named("cancelled", 1));
}

#[test]
fn an_event_reads_back_what_it_wrote() {
    for event in [
        placed(ANN, 7),
        OrderEvent::OrderShipped(payloads::OrderShipped { tracking: "1Z".to_owned() }),
        OrderEvent::Merged(Merged { customers: vec![ANN, BOB] }),
    ] {
        let json = event.encode().unwrap();
        let EventType { name, version } = event.event_type();
        assert_eq!(OrderEvent::decode(name, version, json.as_bytes()).unwrap(), Some(event));
    }
}

#[test]
fn each_older_version_goes_through_the_rest_of_the_chain() {
    let decode = |version, json: String| OrderEvent::decode("order-placed", version, json.as_bytes()).unwrap();

    assert_eq!(decode(1, format!(r#"{{"customer":"{ANN}","units":3}}"#)), Some(placed(ANN, 300)));
    assert_eq!(decode(2, format!(r#"{{"customer":"{ANN}","total":301}}"#)), Some(placed(ANN, 301)));
}

#[test]
fn an_unknown_name_is_no_event_and_an_unknown_version_is_an_error() {
    assert!(matches!(OrderEvent::decode("order-lost", 1, b"{}"), Ok(None)));
    for version in [0, 4, -1] {
        let error = OrderEvent::decode("order-placed", version, b"{}").unwrap_err();
        assert!(
            matches!(error, Error::UnknownEvent { name, version: v, .. } if name == "order-placed" && v == version)
        );
    }
}

#[test]
fn a_payload_that_does_not_fit_names_its_event_and_version() {
    let error = OrderEvent::decode("order-placed", 2, br#"{"customer":7}"#).unwrap_err();
    assert!(error.to_string().starts_with("cannot read event `order-placed` version 2: "), "{error}");
}

// ---------- aggregates ----------

#[derive(Debug, Default, PartialEq, Aggregate)]
#[aggregate(events = OrderEvent, stream = "order")]
struct Order {
    total: i64,
    shipped: bool,
    cancelled: bool,
}

#[handlers(ignore(Merged))]
impl Order {
    fn on_placed(&mut self, e: &Placed) {
        self.total += e.total;
    }

    fn on_shipped(&mut self, _: &payloads::OrderShipped) {
        self.shipped = true;
    }

    fn on_cancelled(&mut self, _: &Cancelled) {
        self.cancelled = true;
    }

    #[cfg(any())]
    fn on_nothing(&mut self, _: &ThereIsNoSuchType) {}

    fn ship(&self) -> Vec<OrderEvent> {
        vec![OrderEvent::OrderShipped(payloads::OrderShipped { tracking: self.total.to_string() })]
    }
}

#[derive(Default, Aggregate)]
#[aggregate(events = OrderEvent)]
struct HTTPOrder;

#[handlers(ignore(Placed, payloads::OrderShipped, Cancelled, Merged))]
impl HTTPOrder {}

#[test]
fn an_aggregate_is_the_fold_of_its_events() {
    let mut events = vec![placed(ANN, 7), placed(ANN, 5), OrderEvent::Merged(Merged { customers: vec![] })];
    let open = Order::fold(&events);
    assert_eq!(open, Order { total: 12, shipped: false, cancelled: false });

    events.extend(open.ship());
    assert!(Order::fold(&events).shipped);
}

#[test]
fn the_category_is_as_written_or_follows_from_the_type() {
    assert_eq!(Order::STREAM, "order");
    assert_eq!(HTTPOrder::STREAM, "http-order");
}
