//! What `#[projection]` writes, through a batch as the runtime drives it.
#![allow(clippy::unwrap_used, reason = "a test that fails should panic")]

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::*;
use crate::model::{RawJson, StreamId};
use crate::{Document, Error, Event, projection};

#[derive(Serialize, Deserialize)]
struct Placed {
    customer: Uuid,
    total: i64,
}

#[derive(Serialize, Deserialize)]
struct Shipped {}

#[derive(Serialize, Deserialize)]
struct Cancelled {
    customer: Option<Uuid>,
}

#[derive(Serialize, Deserialize)]
struct Merged {
    customers: Vec<Uuid>,
}

#[derive(Event)]
enum OrderEvent {
    #[event(name = "order-placed")]
    Placed(Placed),
    Shipped(Shipped),
    Cancelled(Cancelled),
    #[event(name = "customers.merged")]
    Merged(Merged),
}

const ANN: Uuid = Uuid::from_u128(1);
const BOB: Uuid = Uuid::from_u128(2);

fn placed(customer: Uuid, total: i64) -> OrderEvent {
    OrderEvent::Placed(Placed { customer, total })
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Document)]
struct CustomerSales {
    #[document(id)]
    id: Uuid,
    total: i64,
    last: i64,
}

struct Sales;

#[projection(name = "customer-sales", version = 3, events = OrderEvent, document = CustomerSales, ignore(Shipped))]
impl Sales {
    #[key]
    fn of_placed(e: &Placed) -> Uuid {
        e.customer
    }

    #[key]
    fn of_cancelled(e: &Cancelled, at: &EventEnvelope) -> Option<Uuid> {
        e.customer.filter(|_| at.stream_seq > 0)
    }

    #[key]
    fn of_merged(e: &Merged) -> Vec<Uuid> {
        e.customers.clone()
    }

    fn on_placed(doc: &mut CustomerSales, e: &Placed, at: &EventEnvelope) -> Result<(), String> {
        doc.last = at.global_seq;
        doc.total = doc.total.checked_add(e.total).ok_or("more than can be counted")?;
        Ok(())
    }

    fn on_cancelled(doc: &mut CustomerSales, _: &Cancelled) {
        Self::clear(doc);
    }

    fn on_merged(doc: &mut CustomerSales, e: &Merged) {
        doc.total += i64::try_from(e.customers.len()).unwrap_or(i64::MAX);
    }

    fn clear(doc: &mut CustomerSales) {
        doc.total = 0;
    }
}

struct OrderTotals;

#[projection(name = "order-totals", events = OrderEvent, document = CustomerSales, key = stream,
    ignore(Shipped, Cancelled, Merged))]
impl OrderTotals {
    fn on_placed(doc: &mut CustomerSales, e: &Placed) {
        doc.total += e.total;
    }
}

const STREAM: Uuid = Uuid::from_u128(99);

/// The envelope of an event, as the runtime would hand it over.
fn recorded(global_seq: i64, event: &OrderEvent) -> EventEnvelope {
    let EventType { name, version } = event.event_type();
    EventEnvelope {
        global_seq,
        stream_id: StreamId(STREAM),
        stream_seq: global_seq,
        event_id: Uuid::nil(),
        typ: name.into(),
        type_version: version,
        body: RawJson::from_text(event.encode().unwrap()),
        headers: None,
        causation_id: None,
        correlation_id: None,
        created_at: DateTime::UNIX_EPOCH,
    }
}

fn batch<P: DocumentProjection>(events: &[OrderEvent]) -> Box<dyn ProjectionBatch> {
    let mut batch = Registered::new::<P>(Lifecycle::Async).documents().unwrap().batch();
    for (global_seq, event) in (1..).zip(events) {
        batch.push(recorded(global_seq, event).into()).unwrap();
    }
    batch
}

fn documents(changes: &Changes) -> Vec<CustomerSales> {
    changes.docs.iter().map(|doc| serde_json::from_str(doc).unwrap()).collect()
}

#[test]
fn a_projection_asks_for_the_events_it_handles_and_for_no_other() {
    let registered = Registered::new::<Sales>(Lifecycle::Inline);
    assert_eq!((&*registered.name, registered.version), ("customer-sales", 3));
    let names: Vec<_> = registered.types.iter().flat_map(|types| types.iter()).map(|name| &**name).collect();
    assert_eq!(names, ["order-placed", "cancelled", "customers.merged"]);
    assert_eq!(OrderTotals::VERSION, 1);
}

#[test]
fn a_key_function_names_one_document_or_none_or_several() {
    let keys = |event: &OrderEvent| {
        let mut keys = Vec::new();
        <OrderEvent as Route<Sales>>::keys(event, &recorded(1, event), &mut |key| keys.push(key));
        keys
    };
    assert_eq!(keys(&placed(ANN, 1)), [ANN]);
    assert!(keys(&OrderEvent::Cancelled(Cancelled { customer: None })).is_empty());
    assert_eq!(keys(&OrderEvent::Cancelled(Cancelled { customer: Some(BOB) })), [BOB]);
    assert_eq!(keys(&OrderEvent::Merged(Merged { customers: vec![BOB, ANN] })), [BOB, ANN]);
}

#[test]
fn a_batch_folds_events_into_stored_and_new_documents() {
    let mut batch = batch::<Sales>(&[
        placed(BOB, 5),
        placed(ANN, 7),
        OrderEvent::Merged(Merged { customers: vec![ANN, BOB] }),
        OrderEvent::Cancelled(Cancelled { customer: None }),
    ]);
    assert_eq!(batch.ids(), SqlValue::Uuids(vec![BOB, ANN]));
    batch.load(&IdValue::Uuid(ANN), 4, format!(r#"{{"id":"{ANN}","total":100,"last":0}}"#).as_bytes()).unwrap();
    fold(&mut *batch).unwrap();

    let changes = batch.changes().unwrap();
    assert_eq!(changes.ids, SqlValue::Uuids(vec![ANN, BOB]));
    assert_eq!(changes.versions, [4, 0]);
    assert_eq!(
        documents(&changes),
        [CustomerSales { id: ANN, total: 109, last: 2 }, CustomerSales { id: BOB, total: 7, last: 1 }]
    );
}

#[test]
fn the_stream_can_be_the_key() {
    let mut batch = batch::<OrderTotals>(&[placed(ANN, 5), placed(BOB, 6)]);
    fold(&mut *batch).unwrap();
    assert_eq!(documents(&batch.changes().unwrap()), [CustomerSales { id: STREAM, total: 11, last: 0 }]);
}

#[test]
fn a_handlers_error_names_the_projection_and_the_position() {
    let mut batch = batch::<Sales>(&[placed(ANN, i64::MAX), placed(ANN, 1)]);
    let error = fold(&mut *batch).unwrap_err();
    assert!(matches!(&error, Error::Projection { name, position: 2, .. } if name == "customer-sales"), "{error}");
    assert!(error.to_string().ends_with("more than can be counted"), "{error}");
}

fn fold(batch: &mut dyn ProjectionBatch) -> Result<()> {
    while batch.next().is_some() {
        batch.fold_next()?;
    }
    Ok(())
}
