use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rillflow::testing::{given, given_projection};
use rillflow::{Aggregate, Document, Event, EventEnvelope, handlers, projection};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// What a panic said.
pub(crate) fn text_of<T>(outcome: Result<T, Box<dyn Any + Send>>) -> String {
    let panic = outcome.err().expect("a panic");
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap()
}

fn panics<T>(test: impl FnOnce() -> T) -> String {
    text_of(catch_unwind(AssertUnwindSafe(test)))
}

// neither `PartialEq` nor `Clone` nor `Debug`: the kit asks for nothing that a store does not
#[derive(Serialize, Deserialize)]
struct Placed {
    customer: Uuid,
    total: i64,
}

#[derive(Serialize, Deserialize)]
struct Shipped {
    tracking: String,
    #[serde(skip)]
    forgotten: i64,
}

#[derive(Serialize, Deserialize)]
struct Lost {}

#[derive(Event)]
enum OrderEvent {
    #[event(name = "order-placed", was = "placed")]
    Placed(Placed),
    Shipped(Shipped),
    Lost(Lost),
}

#[derive(Debug, Default, Aggregate)]
#[aggregate(events = OrderEvent)]
struct Order {
    total: i64,
    shipped: usize,
    forgotten: i64,
}

#[derive(Debug, PartialEq)]
enum Refused {
    Unplaced,
    AlreadyShipped,
}

#[handlers(ignore(Lost))]
impl Order {
    fn on_placed(&mut self, e: &Placed) {
        self.total += e.total;
    }

    fn on_shipped(&mut self, e: &Shipped) {
        self.shipped += 1;
        self.forgotten += e.forgotten;
    }

    fn ship(&self, tracking: &str) -> Result<Vec<OrderEvent>, Refused> {
        match (self.total, self.shipped) {
            (0, _) => Err(Refused::Unplaced),
            (_, 0) => Ok(vec![shipped(tracking)]),
            _ => Err(Refused::AlreadyShipped),
        }
    }
}

const KIM: Uuid = Uuid::from_u128(1);
const BO: Uuid = Uuid::from_u128(2);

fn placed(customer: Uuid, total: i64) -> OrderEvent {
    OrderEvent::Placed(Placed { customer, total })
}

fn shipped(tracking: &str) -> OrderEvent {
    OrderEvent::Shipped(Shipped { tracking: tracking.to_owned(), forgotten: 7 })
}

#[test]
fn what_holds_passes() {
    given::<Order>([placed(KIM, 7)])
        .then_state(|order| order.total == 7)
        .when(|order| order.ship("1Z"))
        .then_state(|order| assert_eq!((order.total, order.shipped), (7, 1)))
        .then([shipped("1Z")])
        .then_state(|order| order.shipped == 1);
    given::<Order>([]).when(|order| order.ship("1Z")).then_rejected(|error| *error == Refused::Unplaced);
    given::<Order>([placed(KIM, 7)])
        .events([shipped("1Z")])
        .when(|order| order.ship("2Z"))
        .then_rejected(|error| assert_eq!(error, &Refused::AlreadyShipped));
    given::<Order>([]).when(|_| Ok::<_, Refused>(vec![])).then_nothing();
}

#[test]
fn an_event_can_be_given_as_it_was_stored() {
    given::<Order>([])
        .stored("placed", 1, &json!({ "customer": KIM, "total": 3 }))
        .then_state(|order| order.total == 3);
    let message = panics(|| given::<Order>([]).stored("placed", 2, &json!({})));
    assert!(message.starts_with("event `placed` version 2 is stored, but cannot be read: "), "{message}");
    assert_eq!(panics(|| given::<Order>([]).stored("x", 1, &())), "no event of the aggregate is stored as `x`");
}

#[test]
fn events_are_what_a_store_would_give_back() {
    given::<Order>([shipped("1Z")]).then_state(|order| order.forgotten == 0);
}

#[test]
fn other_events_than_expected_are_shown_as_a_difference() {
    let message = panics(|| {
        given::<Order>([placed(KIM, 7)]).when(|order| order.ship("1Z")).then([shipped("2Z"), OrderEvent::Lost(Lost {})])
    });
    assert_eq!(
        message,
        "other events than expected (-) were decided (+):
    shipped {
  -   \"tracking\": \"2Z\"
  +   \"tracking\": \"1Z\"
    }
  - lost {}
"
    );
}

#[test]
fn the_other_outcome_says_which_it_was() {
    let ship = |total| given::<Order>([placed(KIM, total)]).when(|order| order.ship("1Z"));
    assert_eq!(panics(|| ship(0).then([])), "expected a decision, but it was rejected: Unplaced");
    assert_eq!(panics(|| ship(0).then_state(|_| true)), "expected a decision, but it was rejected: Unplaced");
    assert_eq!(
        panics(|| ship(0).then_rejected(|error| *error == Refused::AlreadyShipped)),
        "rejected with another error than expected: Unplaced"
    );
    assert_eq!(
        panics(|| ship(1).then_rejected(|_| true)),
        "expected a rejection, but this was decided:\nshipped {\n  \"tracking\": \"1Z\"\n}"
    );
    assert!(
        panics(|| ship(1).then_state(|order| order.shipped == 2)).starts_with("the state after the decision is not")
    );
}

#[derive(Debug, Default, Serialize, Deserialize, Document)]
struct Sales {
    #[document(id)]
    id: Uuid,
    total: i64,
    seen: Vec<String>,
    #[serde(skip)]
    #[document(skip)]
    forgotten: i64,
}

struct SalesProjection;

#[projection(name = "sales", events = OrderEvent, document = Sales, ignore(Lost))]
impl SalesProjection {
    #[key]
    fn of_placed(e: &Placed) -> Uuid {
        e.customer
    }

    #[key]
    fn of_shipped(_: &Shipped) -> Vec<Uuid> {
        vec![KIM, BO]
    }

    fn on_placed(doc: &mut Sales, e: &Placed, at: &EventEnvelope) -> Result<(), String> {
        if e.total < 0 {
            return Err("less than nothing".to_owned());
        }
        doc.total += e.total + doc.forgotten;
        doc.forgotten = 1;
        doc.seen.push(format!(
            "{}/{} at {} {:?}",
            at.stream_id.0.as_u128(),
            at.stream_seq,
            at.created_at.timestamp(),
            at.headers
        ));
        Ok(())
    }

    fn on_shipped(doc: &mut Sales, _: &Shipped) {
        doc.total = 0;
    }
}

#[test]
fn a_projection_is_tested_with_envelopes_of_the_tests_choice() {
    let headers = Event::from(placed(BO, 1)).with_headers(&json!({ "by": "me" }));
    given_projection::<SalesProjection>()
        .document(&Sales { id: KIM, total: 10, ..Sales::default() })
        .stream(Uuid::from_u128(7))
        .time("2026-02-01T00:00:00Z".parse().unwrap())
        .events([placed(KIM, 3), placed(KIM, 4)])
        .stream(Uuid::from_u128(8))
        .events([headers])
        .stream(Uuid::from_u128(7))
        .stored("placed", 1, &json!({ "customer": KIM, "total": 1 }))
        .then_document(KIM, |sales| {
            assert_eq!(sales.seen, ["7/1 at 1769904000 None", "7/2 at 1769904000 None", "7/3 at 1769904000 None"]);
            sales.total == 18
        })
        .then_document(BO, |sales| assert_eq!(sales.seen, [r#"8/1 at 1769904000 Some({"by":"me"})"#]))
        .then_no_document(Uuid::nil())
        .events([shipped("1Z"), OrderEvent::Lost(Lost {})])
        .then_document(BO, |sales| sales.total == 0)
        .then_document(KIM, |sales| sales.total == 0);
}

#[test]
fn a_document_that_is_not_as_expected_is_shown() {
    let given = || given_projection::<SalesProjection>().events([placed(KIM, 3)]);
    let message = panics(|| given().then_document(KIM, |sales| sales.total == 4));
    assert!(message.starts_with(&format!("document {KIM} is not as expected:\n{{\n")), "{message}");
    assert!(message.contains("\"total\": 3"), "{message}");
    let message = panics(|| given().then_document(BO, |_| true));
    assert!(message.starts_with(&format!("no document {BO}; there are:\n  {KIM}: {{")), "{message}");
    assert!(panics(|| given().then_no_document(KIM)).starts_with("expected no document"));
    let message = panics(|| given().events([placed(KIM, -1)]));
    assert!(
        message.contains("event `order-placed`, the 2. of its stream: ") && message.contains("less than nothing"),
        "{message}"
    );
}
