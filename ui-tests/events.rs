//! Orders: the events, and the document that a projection keeps of them.

use rillflow::{Document, Event};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An order was placed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Placed {
    /// By whom.
    pub customer: Uuid,
    /// What it costs.
    pub total: i64,
}

/// An order left the house.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shipped {
    /// The parcel's number.
    pub tracking: String,
}

/// An order was cancelled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cancelled {
    /// By whom.
    pub customer: Uuid,
}

/// What happens to orders.
#[derive(Clone, Debug, Event)]
pub enum OrderEvent {
    /// See [`Placed`].
    #[event(name = "order-placed")]
    Placed(Placed),
    /// See [`Shipped`].
    Shipped(Shipped),
    /// See [`Cancelled`].
    Cancelled(Cancelled),
}

/// No event of any set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Contacted {
    /// By whom.
    pub customer: Uuid,
}

/// What one customer bought.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Document)]
pub struct CustomerSales {
    /// The customer.
    #[document(id)]
    pub id: Uuid,
    /// The sum of all orders.
    pub total: i64,
}

/// What became of one order.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Document)]
pub struct OrderSummary {
    /// The order.
    #[document(id)]
    pub id: Uuid,
    /// What it cost.
    pub total: i64,
}
