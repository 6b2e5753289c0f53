//! The whole of events, aggregates and projections, under the strictest lints.
#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications, rust_2018_idioms)]

use rillflow as store;
use rillflow_ui_tests::events::CustomerSales;
use store::{Aggregate, Event as EventOfAStream, EventEnvelope, handlers, projection};
use uuid::Uuid;

/// Payloads in a module of their own.
pub mod payloads {
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

    /// The first version had no total.
    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub struct PlacedV1 {
        /// By whom.
        pub customer: Uuid,
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

    impl Cancelled {
        /// A name that generated code uses too.
        pub const TYPE: &'static str = "cancelled";
    }

    pub(crate) fn placed_v1(old: PlacedV1) -> Placed {
        Placed { customer: old.customer, total: 0 }
    }
}
use payloads::{Cancelled, Placed};

/// What happens to orders.
#[derive(Clone, Debug, EventOfAStream)]
pub enum OrderEvent {
    /// See [`Placed`].
    #[event(name = "order-placed", version = 2, upcast(1 => payloads::placed_v1))]
    Placed(Placed),
    /// See [`payloads::Shipped`].
    #[event(name = "order-shipped", was = "shipped", was = "sent")]
    Shipped(payloads::Shipped),
    /// See [`Cancelled`].
    Cancelled(Cancelled),
}

/// An order.
#[derive(Debug, Default, Aggregate)]
#[aggregate(events = OrderEvent, stream = "order")]
pub struct Order {
    shipped: bool,
    total: i64,
}

/// Shipping is refused.
#[derive(Debug)]
pub struct AlreadyShipped;

#[handlers]
impl Order {
    fn on_placed(&mut self, e: &Placed) {
        self.total = e.total;
    }

    fn on_shipped(&mut self, _: &payloads::Shipped) {
        self.shipped = true;
    }

    fn on_cancelled(&mut self, _: &Cancelled) {}

    /// Ships it.
    pub fn ship(&self, tracking: &str) -> Result<Vec<OrderEvent>, AlreadyShipped> {
        if self.shipped {
            return Err(AlreadyShipped);
        }
        Ok(vec![OrderEvent::Shipped(payloads::Shipped { tracking: tracking.to_owned() })])
    }
}

/// Counts what was shipped and nothing else.
#[derive(Debug, Default, Aggregate)]
#[aggregate(events = OrderEvent)]
pub(crate) struct ShippedParcels {
    count: i64,
}

#[handlers(ignore(Placed, Cancelled))]
impl ShippedParcels {
    fn on_shipped(&mut self, _: &payloads::Shipped) {
        self.count += 1;
    }
}

/// What each customer bought.
#[derive(Debug)]
pub struct SalesProjection;

#[projection(name = "customer-sales", version = 3, events = OrderEvent, document = CustomerSales, ignore(payloads::Shipped))]
impl SalesProjection {
    #[key]
    fn of_placed(e: &Placed) -> Uuid {
        e.customer
    }

    #[key]
    fn of_cancelled(e: &Cancelled, at: &EventEnvelope) -> Option<Uuid> {
        (at.stream_seq > 1).then_some(e.customer)
    }

    fn on_placed(doc: &mut CustomerSales, e: &Placed, at: &EventEnvelope) {
        doc.total += e.total * i64::from(at.type_version);
    }

    fn on_cancelled(doc: &mut CustomerSales, _: &Cancelled) -> Result<(), std::fmt::Error> {
        doc.total -= 1;
        Ok(())
    }
}

pub(crate) struct OrderStates;

#[projection(name = "order-states", events = OrderEvent, document = CustomerSales, key = stream, ignore(Placed, Cancelled))]
impl OrderStates {
    fn on_shipped(doc: &mut CustomerSales, _: &payloads::Shipped) {
        doc.total = 0;
    }
}

/// Raw names.
mod raw {
    use super::{Aggregate, EventOfAStream, handlers};
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Serialize, Deserialize)]
    pub(crate) struct r#Type {}

    #[derive(Debug, EventOfAStream)]
    pub(crate) enum r#Enum {
        r#Type(r#Type),
    }

    #[derive(Default, Aggregate)]
    #[aggregate(events = r#Enum)]
    pub(crate) struct r#Struct;

    #[handlers]
    impl r#Struct {
        fn on_type(&mut self, r#type: &r#Type) {
            let _ = r#type;
        }
    }
}

fn main() {
    let placed = OrderEvent::Placed(Placed { customer: Uuid::nil(), total: 7 });
    let mut events = Order::fold([&placed]).ship("1Z").expect("an open order ships");
    events.insert(0, placed);
    assert!(Order::fold(&events).ship("1Z").is_err());
    assert_eq!(ShippedParcels::fold(&events).count, 1);
    assert_eq!((Order::STREAM, ShippedParcels::STREAM), ("order", "shipped-parcels"));
    let _ = (raw::r#Struct::fold(&[raw::r#Enum::r#Type(raw::r#Type {})]), OrderStates);
}
