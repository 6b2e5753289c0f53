use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Shape;

fn lines<T: Serialize + DeserializeOwned>() -> Vec<String> {
    Shape::of::<T>().lines()
}

/// The samples of a shape without gaps are read and written back as they are.
fn samples<T: Serialize + DeserializeOwned>() -> Vec<Value> {
    let read = |sample: &String| {
        let value: T = serde_json::from_str(sample).expect("a sample reads back");
        assert_eq!(&serde_json::to_string(&value).expect("JSON"), sample);
        serde_json::from_str(sample).expect("JSON")
    };
    Shape::of::<T>().samples.iter().map(read).collect()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    order_id: Uuid,
    #[serde(rename = "customer", alias = "client", alias = "buyer")]
    customer_name: String,
    lines: Vec<Line>,
    note: Option<String>,
    #[serde(default)]
    priority: u8,
    #[serde(skip)]
    _cache: u8,
    placed_at: DateTime<Utc>,
    due: Option<NaiveDate>,
    prices: HashMap<Uuid, f64>,
    at: (i32, bool),
    anything: Value,
    state: State,
}

#[derive(Serialize, Deserialize)]
struct Line {
    sku: Sku,
    quantity: i64,
}

#[derive(Serialize, Deserialize)]
struct Sku(String);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    New,
    OnHold { reason: String, until: Option<i64> },
    Shipped(Parcel),
    Moved(i64, i64),
    Closed,
}

#[derive(Serialize, Deserialize)]
struct Parcel {
    carrier: Carrier,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Carrier {
    Ups,
    Other(String),
}

#[test]
fn a_shape_is_what_serde_reads() {
    assert_eq!(
        lines::<Order>(),
        [
            "anything: any",
            "at: list of 2",
            "at[0]: i32",
            "at[1]: bool",
            "customer: text",
            "due?: date or null",
            "lines: list",
            "lines[].quantity: i64",
            "lines[].sku: text",
            "note?: text or null",
            "orderId: uuid",
            "placedAt: timestamp",
            "prices: map",
            "prices{key}: uuid",
            "prices{}: f64",
            "priority?: u8",
            r#"state: "new" | "on-hold" | "shipped" | "moved" | "closed""#,
            "state(moved): list of 2",
            "state(moved)[0]: i64",
            "state(moved)[1]: i64",
            "state(on-hold).reason: text",
            "state(on-hold).until?: i64 or null",
            r#"state(shipped).carrier: "Ups" | "Other""#,
            "state(shipped).carrier(Other): text",
        ]
    );
}

#[test]
fn there_is_a_sample_for_each_variant_that_holds_something() {
    let states: Vec<_> = samples::<Order>().into_iter().map(|mut order| order["state"].take()).collect();
    assert_eq!(
        states,
        [
            json!("new"),
            json!({ "on-hold": { "reason": "text", "until": 1 } }),
            json!({ "shipped": { "carrier": "Ups" } }),
            json!({ "moved": [1, 1] }),
            json!({ "shipped": { "carrier": { "Other": "text" } } }),
        ]
    );
}

#[derive(Serialize, Deserialize)]
struct Node {
    name: String,
    left: Option<Box<Node>>,
    children: Vec<Node>,
    weight: i64,
}

#[derive(Serialize, Deserialize)]
enum Expression {
    Not(Box<Expression>),
    Number(i64),
}

#[test]
fn a_type_inside_of_itself_ends() {
    assert_eq!(
        lines::<Node>(),
        ["children: list", "children[]: Node again", "left?: Node again or null", "name: text", "weight: i64"]
    );
    assert_eq!(samples::<Node>(), [json!({ "name": "text", "left": null, "children": [], "weight": 1 })]);
    assert_eq!(lines::<Expression>(), [r#"(itself): "Not" | "Number""#, "(Not): Expression again", "(Number): i64"]);
    assert_eq!(samples::<Expression>(), [json!({ "Number": 1 })]);
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Shouted(String);

impl TryFrom<String> for Shouted {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Err(text)
    }
}

impl From<Shouted> for String {
    fn from(text: Shouted) -> Self {
        text.0
    }
}

#[derive(Serialize, Deserialize)]
struct Picky {
    #[serde(deserialize_with = "of_a_list")]
    any: i64,
    first: std::net::IpAddr,
    never: Never,
    some: Vec<Never>,
    last: i64,
    defaulted: Option<i64>,
}

/// Takes what a self-describing format has, but only a list.
fn of_a_list<'de, D: serde::Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    struct Visitor;
    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = i64;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<i64, A::Error> {
            Ok(list.next_element()?.unwrap_or_default())
        }
    }
    from.deserialize_any(Visitor)
}

struct Never;

impl Serialize for Never {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("never")
    }
}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Never;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("what nobody knows")
            }
        }
        from.deserialize_str(Visitor)
    }
}

#[test]
fn a_value_that_cannot_be_made_up_hides_nothing_else() {
    assert_eq!(
        lines::<Picky>(),
        [
            "any: as in its samples",
            "defaulted?: i64 or null",
            "first: text of its own form",
            "last: i64",
            "never: text of its own form",
            "some: list",
            "some[]: text of its own form",
        ]
    );
    assert!(samples::<Picky>().is_empty());
    assert_eq!(lines::<Shouted>(), ["(itself): text"], "a conversion that fails is no sample");
    assert!(samples::<Shouted>().is_empty());
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    One { number: i64 },
    Two(Parcel),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    A(i64),
}

#[derive(Serialize, Deserialize)]
struct Flat {
    own: i64,
    #[serde(flatten)]
    parcel: Parcel,
}

#[derive(Serialize, Deserialize)]
struct Buffered {
    adjacent: Adjacent,
    flat: Flat,
    plain: i64,
    tagged: Vec<Tagged>,
    untagged: Option<Untagged>,
}

#[test]
fn what_serde_buffers_is_known_by_samples() {
    let mut shape = Shape::of::<Buffered>();
    assert_eq!(shape.gaps(), ["adjacent", "flat", "tagged[]", "untagged"]);

    let parcel = || Parcel { carrier: Carrier::Ups };
    let sample = |untagged| Buffered {
        adjacent: Adjacent::A(1),
        flat: Flat { own: 1, parcel: parcel() },
        plain: 1,
        tagged: vec![Tagged::One { number: 1 }, Tagged::Two(parcel())],
        untagged,
    };
    let samples = [sample(None), sample(Some(Untagged::Number(1))), sample(Some(Untagged::Text("a".into())))];
    shape.learn(&samples.map(|sample| serde_json::to_value(&sample).expect("JSON")));

    assert_eq!(
        shape.lines(),
        [
            "adjacent.c: number",
            "adjacent.t: text",
            "flat.carrier: text",
            "flat.own: number",
            "plain: i64",
            "tagged: list",
            "tagged[].carrier?: text",
            "tagged[].kind: text",
            "tagged[].number?: number",
            "untagged?: number | text or null",
        ]
    );
}

#[derive(Serialize, Deserialize)]
struct Foreign {
    array: [u8; 2],
    by_state: std::collections::BTreeMap<Carrier, i64>,
    character: char,
    duration: std::time::Duration,
    flags: std::collections::BTreeSet<bool>,
    moment: chrono::NaiveDateTime,
    nothing: (),
    positive: std::num::NonZeroU8,
    result: Result<i64, String>,
    shared: Box<str>,
    twice: Option<Option<i64>>,
}

#[test]
fn types_of_others_are_known_by_what_they_read() {
    assert_eq!(
        lines::<Foreign>(),
        [
            "array: list of 2",
            "array[0]: u8",
            "array[1]: u8",
            "by_state: map",
            r#"by_state{key}: "Ups" | "Other""#,
            "by_state{key}(Other): text",
            "by_state{}: i64",
            "character: character",
            "duration.nanos: u32",
            "duration.secs: u64",
            "flags: list",
            "flags[]: bool",
            "moment: date and time",
            "nothing: null",
            "positive: u8",
            r#"result: "Ok" | "Err""#,
            "result(Err): text",
            "result(Ok): i64",
            "shared: text",
            "twice?: i64 or null",
        ]
    );
}
