//! The types that the chapters of `docs/book` share, and their code, compiled as doctests.

#![allow(missing_docs, reason = "the book says what each is")]

use chrono::{DateTime, Utc};
use rillflow::{Aggregate, Document, DocumentFields, DocumentValue, Event, handlers, projection};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, DocumentValue)]
pub struct CustomerId(pub Uuid);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Active,
    OnHold,
}

#[derive(Clone, Debug, Serialize, Deserialize, DocumentFields)]
pub struct Address {
    pub city: String,
    pub zip: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, Document)]
#[document(collection = "customers", gin, index(status, created_at desc), index(address.city))]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    #[document(id)]
    pub id: CustomerId,
    #[document(unique)]
    pub email: String,
    pub status: Status,
    pub tags: Vec<String>,
    pub address: Address,
    pub score: Option<f64>,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Placed {
    pub customer: Uuid,
    pub cents: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shipped {
    pub tracking: String,
}

#[derive(Clone, Debug, Event)]
pub enum OrderEvent {
    #[event(name = "order-placed")]
    Placed(Placed),
    #[event(name = "order-shipped")]
    Shipped(Shipped),
}

#[derive(Clone, Debug, Default, Aggregate)]
#[aggregate(events = OrderEvent, stream = "order")]
pub struct Order {
    pub cents: i64,
    pub tracking: Option<String>,
}

#[derive(Debug, PartialEq)]
pub struct AlreadyShipped;

#[handlers]
impl Order {
    fn on_placed(&mut self, e: &Placed) {
        self.cents = e.cents;
    }

    fn on_shipped(&mut self, e: &Shipped) {
        self.tracking = Some(e.tracking.clone());
    }

    pub fn ship(&self, tracking: &str) -> Result<Vec<OrderEvent>, AlreadyShipped> {
        if self.tracking.is_some() {
            return Err(AlreadyShipped);
        }
        Ok(vec![OrderEvent::Shipped(Shipped { tracking: tracking.to_owned() })])
    }
}

#[derive(Debug, Default, Serialize, Deserialize, Document)]
#[document(collection = "customer_sales")]
pub struct CustomerSales {
    #[document(id)]
    pub id: CustomerId,
    pub cents: i64,
}

pub struct SalesProjection;

#[projection(name = "customer-sales", version = 1, events = OrderEvent, document = CustomerSales, ignore(Shipped))]
impl SalesProjection {
    #[key]
    fn of_placed(e: &Placed) -> CustomerId {
        CustomerId(e.customer)
    }

    fn on_placed(doc: &mut CustomerSales, e: &Placed) {
        doc.cents += e.cents;
    }
}

#[cfg(doctest)]
macro_rules! chapters {
    ($($chapter:ident: $file:literal;)*) => { $(
        #[doc = include_str!(concat!("../docs/book/src/", $file))]
        pub mod $chapter {}
    )* };
}

#[cfg(doctest)]
chapters! {
    quickstart: "quickstart.md";
    documents: "documents.md";
    queries: "queries.md";
    events: "events.md";
    aggregates: "aggregates.md";
    projections: "projections.md";
    subscriptions: "subscriptions.md";
    evolution: "evolution.md";
    tenancy: "tenancy.md";
    operations: "operations.md";
    testing: "testing.md";
}
