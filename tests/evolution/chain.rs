use rillflow::{Document, DocumentProjection, Error, Event, EventPayload, EventSet, EventType, projection};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Placed {
    total: i64,
    currency: String,
}

#[derive(Serialize, Deserialize)]
struct PlacedV3 {
    total: i64,
}

/// `{"units": 3}` became `{"whole": 3}`.
fn placed_v1(mut old: Value) -> Value {
    old["whole"] = old["units"].take();
    old
}

/// `{"whole": 3}` became `{"total": 300}`.
fn placed_v2(old: Value) -> Value {
    json!({ "total": old["whole"].as_i64().map(|whole| whole * 100) })
}

fn placed_v3(old: PlacedV3) -> Placed {
    Placed { total: old.total, currency: "EUR".to_owned() }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Shipped {
    tracking: String,
}

#[derive(Serialize, Deserialize)]
struct ShippedV1 {
    parcel: String,
}

#[derive(Serialize, Deserialize)]
struct ShippedV2 {
    parcel: String,
    carrier: String,
}

fn shipped_v1(old: ShippedV1) -> ShippedV2 {
    ShippedV2 { parcel: old.parcel, carrier: "ups".to_owned() }
}

mod json {
    pub(super) fn joined(old: serde_json::Value) -> serde_json::Value {
        let text = |key: &str| old[key].as_str().unwrap_or_default();
        let tracking = [text("carrier"), text("parcel")].join("/");
        serde_json::json!({ "tracking": tracking })
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Cancelled {}

#[derive(Debug, PartialEq, Event)]
enum OrderEvent {
    #[event(name = "order-placed", was = "placed", was = "order_placed", version = 4)]
    #[event(upcast(1 => json placed_v1, 2 => json placed_v2, 3 => placed_v3))]
    Placed(Placed),
    #[event(version = 3, upcast(1 => shipped_v1, 2 => json json::joined), was = "sent")]
    Shipped(Shipped),
    Cancelled(Cancelled),
}

fn decode(name: &str, version: i32, json: Value) -> rillflow::Result<Option<OrderEvent>> {
    OrderEvent::decode(name, version, json.to_string().as_bytes())
}

fn placed(total: i64) -> Option<OrderEvent> {
    Some(OrderEvent::Placed(Placed { total, currency: "EUR".to_owned() }))
}

fn shipped(tracking: &str) -> Option<OrderEvent> {
    Some(OrderEvent::Shipped(Shipped { tracking: tracking.to_owned() }))
}

#[test]
fn an_event_is_read_under_each_name_it_ever_had() {
    for name in ["order-placed", "placed", "order_placed"] {
        assert_eq!(decode(name, 4, json!({ "total": 7, "currency": "EUR" })).unwrap(), placed(7));
    }
    assert_eq!(decode("order-plced", 4, json!({})).unwrap(), None);
}

#[test]
fn a_name_does_not_count_for_the_version() {
    for name in ["order-placed", "placed"] {
        assert_eq!(decode(name, 1, json!({ "units": 3 })).unwrap(), placed(300));
        assert_eq!(decode(name, 3, json!({ "total": 3 })).unwrap(), placed(3));
        assert!(matches!(decode(name, 5, json!({})), Err(Error::UnknownEvent { version: 5, .. })));
    }
}

#[test]
fn only_the_present_name_is_written() {
    let placed = placed(1).unwrap();
    assert_eq!(placed.event_type(), EventType { name: "order-placed", version: 4 });
    assert_eq!(<Placed as EventPayload>::TYPE, placed.event_type());
}

#[test]
fn a_reader_asks_for_old_names_too() {
    let names: Vec<_> = OrderEvent::TYPES.iter().map(|event| (event.name, event.version)).collect();
    assert_eq!(
        names,
        [("order-placed", 4), ("placed", 4), ("order_placed", 4), ("shipped", 3), ("sent", 3), ("cancelled", 1)]
    );
    let names: Vec<_> = Parcels::TYPES.iter().map(|event| event.name).collect();
    assert_eq!(names, ["shipped", "sent"]);
}

#[test]
fn steps_on_json_and_on_types_mix_in_one_chain() {
    assert_eq!(decode("order-placed", 2, json!({ "whole": 3 })).unwrap(), placed(300), "json, then typed");
    assert_eq!(decode("sent", 1, json!({ "parcel": "1Z" })).unwrap(), shipped("ups/1Z"), "typed, then json");
    assert_eq!(decode("shipped", 2, json!({ "parcel": "1Z", "carrier": "dhl" })).unwrap(), shipped("dhl/1Z"));
}

#[test]
fn what_a_json_step_gets_wrong_names_the_event() {
    let error = decode("order-placed", 2, json!({ "whole": "three" })).unwrap_err().to_string();
    assert!(error.starts_with("cannot read event `order-placed` version 3 after its upcast: "), "{error}");
    let error = OrderEvent::decode("order-placed", 1, b"{").unwrap_err().to_string();
    assert!(error.starts_with("cannot read event `order-placed` version 1: "), "{error}");
}

#[derive(Default, Serialize, Deserialize, Document)]
struct Parcel {
    #[document(id)]
    id: Uuid,
}

struct Parcels;

#[projection(name = "parcels", events = OrderEvent, document = Parcel, key = stream, ignore(Placed, Cancelled))]
impl Parcels {
    fn on_shipped(_: &mut Parcel, _: &Shipped) {}
}
