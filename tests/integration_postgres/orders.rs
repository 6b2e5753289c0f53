//! The one domain that the tests share: customers, their orders, and what each customer bought.

use chrono::{DateTime, TimeZone, Utc};
use rillflow::{Aggregate, Document, DocumentFields, DocumentValue, Event, handlers, projection};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, DocumentValue)]
pub(crate) struct CustomerId(pub(crate) Uuid);

impl Default for CustomerId {
    fn default() -> Self {
        Self(Uuid::now_v7())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, DocumentValue)]
pub(crate) struct OrderId(pub(crate) Uuid);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, DocumentValue)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    Active,
    OnHold,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentFields)]
pub(crate) struct Address {
    pub(crate) city: String,
    pub(crate) zip: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentFields)]
pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) quantity: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "customers", gin, index(status, created_at desc), index(address.city))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Customer {
    #[document(id)]
    pub(crate) id: CustomerId,
    #[document(index)]
    pub(crate) email: String,
    #[document(unique)]
    pub(crate) handle: String,
    pub(crate) status: Status,
    pub(crate) tags: Vec<String>,
    pub(crate) address: Address,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) score: Option<f64>,
    pub(crate) lines: Vec<Line>,
}

/// The customer number `n`: each differs in every field that a query looks at.
pub(crate) fn customer(n: i64) -> Customer {
    Customer {
        id: CustomerId(Uuid::from_u128(n as u128 + 1)),
        email: format!("c{n}@example.com"),
        handle: format!("c{n}"),
        status: if n % 2 == 0 { Status::Active } else { Status::OnHold },
        tags: if n % 3 == 0 { vec!["vip".into(), "it's".into()] } else { vec![] },
        address: Address { city: if n % 2 == 0 { "Oslo" } else { "Bergen" }.into(), zip: None },
        created_at: Utc.timestamp_opt(1_700_000_000 + n, 0).single().expect("a valid time"),
        score: if n % 4 == 0 { None } else { Some(n as f64) },
        lines: vec![Line { sku: format!("s{}", n % 5), quantity: n as i32 }],
    }
}

crate::served::many!(Customer, 100_000, |n| Customer {
    status: if n % 100 == 0 { Status::Active } else { Status::OnHold },
    tags: if n % 500 == 0 { vec!["vip".into()] } else { vec![] },
    address: Address { city: format!("city {}", n % 1000), zip: None },
    lines: vec![Line { sku: format!("s{}", n % 5000), quantity: n as i32 }],
    ..customer(n)
});

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Placed {
    pub(crate) customer: CustomerId,
    pub(crate) total: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shipped {
    pub(crate) tracking: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cancelled {
    pub(crate) customer: CustomerId,
    pub(crate) total: i64,
}

#[derive(Clone, Debug, Event)]
pub(crate) enum OrderEvent {
    #[event(name = "order-placed", version = 2, upcast(1 => placed_v1))]
    Placed(Placed),
    #[event(name = "order-shipped")]
    Shipped(Shipped),
    #[event(name = "order-cancelled")]
    Cancelled(Cancelled),
}

/// How an order was placed before it had a total.
#[derive(Deserialize)]
pub(crate) struct PlacedV1 {
    customer: CustomerId,
}

fn placed_v1(old: PlacedV1) -> Placed {
    Placed { customer: old.customer, total: 0 }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OrderState {
    #[default]
    New,
    Open,
    Shipped,
    Cancelled,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Aggregate)]
#[aggregate(events = OrderEvent, stream = "order")]
pub(crate) struct Order {
    pub(crate) state: OrderState,
    pub(crate) total: i64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotOpen(pub(crate) OrderState);

impl std::fmt::Display for NotOpen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the order is {:?}", self.0)
    }
}

impl std::error::Error for NotOpen {}

#[handlers]
impl Order {
    fn on_placed(&mut self, e: &Placed) {
        self.state = OrderState::Open;
        self.total = e.total;
    }

    fn on_shipped(&mut self, _: &Shipped) {
        self.state = OrderState::Shipped;
    }

    fn on_cancelled(&mut self, _: &Cancelled) {
        self.state = OrderState::Cancelled;
    }

    pub(crate) fn ship(&self, tracking: &str) -> Result<Vec<OrderEvent>, NotOpen> {
        match self.state {
            OrderState::Open => Ok(vec![OrderEvent::Shipped(Shipped { tracking: tracking.to_owned() })]),
            state => Err(NotOpen(state)),
        }
    }
}

/// What a customer bought: the read model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "customer_sales")]
pub(crate) struct CustomerSales {
    #[document(id)]
    pub(crate) id: CustomerId,
    pub(crate) orders: i64,
    pub(crate) total: i64,
    /// The positions folded, in order: a double or a missing one shows.
    pub(crate) positions: Vec<i64>,
}

pub(crate) struct SalesProjection;

#[projection(name = "customer-sales", version = 1, events = OrderEvent, document = CustomerSales, ignore(Shipped))]
impl SalesProjection {
    #[key]
    fn of_placed(e: &Placed) -> CustomerId {
        e.customer
    }

    #[key]
    fn of_cancelled(e: &Cancelled) -> CustomerId {
        e.customer
    }

    fn on_placed(doc: &mut CustomerSales, e: &Placed, at: &rillflow::EventEnvelope) -> Result<(), String> {
        match e.total {
            i64::MIN => panic!("a total that no handler takes"),
            i64::MAX => return Err("a total that this handler refuses".to_owned()),
            total => doc.total += total,
        }
        doc.orders += 1;
        doc.positions.push(at.global_seq);
        Ok(())
    }

    fn on_cancelled(doc: &mut CustomerSales, e: &Cancelled, at: &rillflow::EventEnvelope) {
        doc.orders -= 1;
        doc.total -= e.total;
        doc.positions.push(at.global_seq);
    }
}

pub(crate) fn placed(customer: CustomerId, total: i64) -> OrderEvent {
    OrderEvent::Placed(Placed { customer, total })
}
