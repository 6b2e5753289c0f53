//! Groups, related documents and values of maps under the strictest lints: documents of other crates, awkward names,
//! associated functions, generic impls, and the crate under another name.
#![deny(missing_docs, warnings, clippy::all)]
#![forbid(unsafe_code)]

extern crate rillflow as rf;

use std::collections::{BTreeMap, HashMap};

use rf::{Cursor, Document, NumberedPage, Page, Query, compiled_query};
use rillflow_ui_tests::{Customer, CustomerId, Order, OrderId, Status};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize, Document)]
#[document(gin)]
pub(crate) struct Thing {
    #[document(id)]
    id: i64,
    #[document(index)]
    r#type: String,
    labels: HashMap<String, String>,
    r#loop: Option<BTreeMap<String, i64>>,
    owner: Option<CustomerId>,
}

/// No `Deserialize`, and names of its own: the query builds it as written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub(crate) struct Owned {
    r#type: String,
    number: Option<i64>,
}

#[compiled_query]
pub(crate) fn r#match(r#type: &str, key: &str) -> impl Query<Vec<Owned>> {
    Thing::query()
        .filter(|t| t.r#type == r#type && t.labels.get(key) != "x")
        .select(|t| Owned { number: t.r#loop.get("n"), r#type: t.r#type })
}

#[compiled_query]
fn orders(city: &str, after: Option<Cursor>) -> impl Query<Page<(Customer, Vec<Order>)>> {
    Customer::query().filter(|c| c.address.city == city).include_many::<Order>(|o| o.customer).page(after, 10)
}

#[compiled_query]
fn order(id: OrderId) -> impl Query<Option<(Order, Option<Customer>, Option<Customer>)>> {
    Order::query().filter(|o| o.id == id).include::<Customer>(|o| o.customer).include::<Customer>(|o| o.payer).one()
}

struct Queries<T>(T);

impl<T> Queries<T> {
    #[compiled_query(allow(scan))]
    fn by_city<'c>(not: &'c str, page: i64) -> impl Query<NumberedPage<(String, Status, i64, Option<f64>)>> + use<T> {
        Customer::query()
            .filter(|c| c.address.city != not)
            .group_by(|c| (c.address.city, c.status))
            .having(|c, g| g.count() > 1 && c.status.one_of([Status::Active, Status::OnHold]))
            .order_by(|c, g| (g.count().desc(), c.address.city.asc()))
            .select(|c, g| (c.address.city, c.status, g.count(), g.avg(c.score)))
            .numbered_page(page, 20)
    }

    #[compiled_query(allow(scan))]
    fn cities() -> impl Query<Vec<String>> + use<T> {
        Customer::query().select(|c| c.address.city).distinct()
    }
}

fn main() {
    let found = r#match("a", "b");
    assert_eq!((found.name(), found.binds().len()), ("match", 2));
    assert_eq!(orders("Oslo", None).binds().len(), 1);
    assert_eq!(order(OrderId(Default::default())).binds().len(), 1);
    assert_eq!(Queries::<u8>::by_city("Oslo", 1).binds().len(), 2);
    assert!(Queries::<u8>::cities().sql().ends_with("GROUP BY 1"));
    let in_place = Thing::query().filter(|t| t.labels.get("a").eq("b")).include::<Customer, _>(|t| t.owner);
    assert_eq!(in_place.binds().len(), 2);
    let owned = Owned { r#type: String::new(), number: Some(1) };
    let _ = (owned.r#type, owned.number, Queries(1).0);
    let Thing { id, .. } = Thing {
        id: 1,
        r#type: String::new(),
        labels: HashMap::new(),
        r#loop: None,
        owner: None,
    };
    assert_eq!(id, 1);
}
