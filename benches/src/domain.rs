//! What all contestants store: about 250 bytes of JSON an event or document.

use rillflow::{Aggregate, Document, Event, Query, compiled_query, handlers, projection};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Deposited {
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) by: Uuid,
    pub(crate) reference: String,
    pub(crate) note: String,
}

pub(crate) const DEPOSITED: &str = "deposited";

#[derive(Clone, Debug, Event)]
pub(crate) enum AccountEvent {
    #[event(name = "deposited")]
    Deposited(Deposited),
}

pub(crate) fn deposited(amount: i64) -> Deposited {
    Deposited {
        amount,
        currency: "EUR".to_owned(),
        by: Uuid::from_u128(amount as u128),
        reference: format!("invoice-{amount:012}"),
        note: "paid at the counter, in part by voucher; the receipt was sent by mail to the address on file".to_owned(),
    }
}

#[derive(Clone, Debug, Default, Aggregate)]
#[aggregate(events = AccountEvent, stream = "account")]
pub(crate) struct Account {
    pub(crate) balance: i64,
    pub(crate) deposits: i64,
}

#[handlers]
impl Account {
    pub(crate) fn on_deposited(&mut self, e: &Deposited) {
        self.balance += e.amount;
        self.deposits += 1;
    }
}

/// The read model: one document for each event.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Document)]
#[document(collection = "receipts")]
pub(crate) struct Receipt {
    #[document(id)]
    pub(crate) id: Uuid,
    pub(crate) amount: i64,
    pub(crate) reference: String,
}

pub(crate) struct Receipts;

#[projection(name = "receipts", version = 1, events = AccountEvent, document = Receipt)]
impl Receipts {
    #[key]
    fn of_deposited(_: &Deposited, at: &rillflow::EventEnvelope) -> Uuid {
        at.event_id
    }

    fn on_deposited(doc: &mut Receipt, e: &Deposited) {
        doc.amount = e.amount;
        doc.reference = e.reference.clone();
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, Document)]
#[document(collection = "customers", index(city, name))]
pub(crate) struct Customer {
    #[document(id)]
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) city: String,
    pub(crate) note: String,
}

/// A collection that is filled in one call, again and again.
#[derive(Clone, Debug, Serialize, Deserialize, Document)]
#[document(collection = "imports")]
pub(crate) struct Import {
    #[document(id)]
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) city: String,
    pub(crate) note: String,
}

/// How many documents C4 inserts in one call.
pub(crate) const IMPORTED: usize = 10_000;

pub(crate) fn imports() -> impl Iterator<Item = Import> + Send {
    (0..IMPORTED).map(customer).map(|Customer { id, name, city, note }| Import { id, name, city, note })
}

pub(crate) fn customer(number: usize) -> Customer {
    Customer {
        id: Uuid::from_u128((number as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)),
        name: format!("Customer {number:08}"),
        city: format!("City {:04}", number % CITIES),
        note: "a regular, comes on Saturdays; likes the table by the window and pays in cash more often than not"
            .into(),
    }
}

/// How many customers C2 and C3 look among, and in how many cities.
pub(crate) const CUSTOMERS: usize = 100_000;
pub(crate) const CITIES: usize = 1_000;

#[compiled_query]
pub(crate) fn in_city(city: &str) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.city == city).order_by(|c| c.name.asc()).limit(20)
}
