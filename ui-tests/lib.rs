//! The domain that the compile-fail cases share.

#![deny(missing_docs, warnings)]

pub mod events;

use chrono::{DateTime, Utc};
use rillflow::{Document, DocumentFields, DocumentValue};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identifies a customer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
pub struct CustomerId(pub Uuid);

/// How things stand with a customer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Buys.
    Active,
    /// Waits.
    OnHold,
    /// Left.
    Closed,
}

/// Where a customer lives.
#[derive(Clone, Debug, Serialize, Deserialize, DocumentFields)]
pub struct Address {
    /// The city.
    pub city: String,
    /// The postal code.
    pub zip: Option<String>,
}

/// What a customer bought.
#[derive(Clone, Debug, Serialize, Deserialize, DocumentFields)]
pub struct OrderLine {
    /// The article.
    pub sku: String,
    /// How many.
    pub qty: u32,
    /// The price of one.
    pub price: f64,
}

/// A customer.
#[derive(Clone, Debug, Serialize, Deserialize, Document)]
#[document(collection = "customers", gin, index(status, created_at desc), index(address.city))]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    /// Its id.
    #[document(id)]
    pub id: CustomerId,
    /// Its address for letters that cost nothing.
    #[document(index)]
    pub email: String,
    /// Its name to others.
    #[document(unique)]
    pub handle: String,
    /// How things stand.
    pub status: Status,
    /// Words about it.
    pub tags: Vec<String>,
    /// Where it lives.
    pub address: Address,
    /// Since when it is one.
    pub created_at: DateTime<Utc>,
    /// How much we like it.
    pub score: Option<f64>,
    /// Whether we like it very much.
    pub vip: bool,
    /// What it bought.
    pub lines: Vec<OrderLine>,
}

/// Identifies an order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
pub struct OrderId(pub Uuid);

/// What a customer ordered.
#[derive(Clone, Debug, Serialize, Deserialize, Document)]
pub struct Order {
    /// Its id.
    #[document(id)]
    pub id: OrderId,
    /// Who ordered.
    #[document(index)]
    pub customer: CustomerId,
    /// Who pays.
    pub payer: Option<CustomerId>,
    /// How much, in cents.
    pub total: i64,
}

/// Part of a customer.
#[derive(Debug, Deserialize)]
pub struct Contact {
    /// The e-mail address.
    pub email: String,
    /// The city.
    pub city: String,
}
