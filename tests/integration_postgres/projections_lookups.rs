use rillflow::Lifecycle::{self, Async, Inline};
use rillflow::testing::{assert_projection_agrees, given_projection};
use rillflow::{Document, Error, Event, EventEnvelope, Expected, Store, projection};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::orders::CustomerId;
use crate::support::{TestResult, statements_about, statements_sent, store_with};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ordered {
    customer: CustomerId,
    skus: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Returned {
    customer: CustomerId,
    referred_by: Option<CustomerId>,
}

#[derive(Clone, Debug, Event)]
enum ShopEvent {
    Ordered(Ordered),
    Returned(Returned),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "shoppers", soft_delete)]
struct Shopper {
    #[document(id)]
    id: CustomerId,
    name: String,
}

crate::layouts::declared!(Shopper);

#[derive(Clone, Debug, Serialize, Deserialize, Document)]
#[document(collection = "articles")]
struct Article {
    #[document(id)]
    sku: String,
    cents: i64,
}

crate::layouts::declared!(Article);

/// What became of one order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "receipts")]
struct Receipt {
    #[document(id)]
    id: Uuid,
    name: String,
    cents: Vec<i64>,
    referred_by: Option<String>,
    last: i64,
}

crate::layouts::declared!(Receipt);

crate::layouts::declared!(Shopper, Article, Receipt);

struct Receipts;

#[projection(name = "receipts", events = ShopEvent, document = Receipt, key = stream, on_failure = park)]
impl Receipts {
    #[lookup(customer)]
    fn who_ordered(e: &Ordered) -> CustomerId {
        e.customer
    }

    #[lookup(articles)]
    fn what_was_ordered(e: &Ordered, _at: &EventEnvelope) -> Vec<String> {
        e.skus.clone()
    }

    #[lookup]
    fn who_referred(e: &Returned) -> Option<CustomerId> {
        e.referred_by
    }

    fn on_ordered(
        doc: &mut Receipt,
        e: &Ordered,
        customer: Option<&Shopper>,
        at: &EventEnvelope,
        articles: Vec<&Article>,
    ) -> Result<(), String> {
        let found: Vec<_> = articles.iter().map(|it| &it.sku).collect();
        if found.len() < e.skus.len() {
            return Err(format!("of {:?} there are only {found:?}", e.skus));
        }
        doc.name = customer.map_or("nobody", |it| &it.name).to_owned();
        doc.cents.extend(articles.iter().map(|it| it.cents));
        doc.last = at.global_seq;
        Ok(())
    }

    fn on_returned(doc: &mut Receipt, _: &Returned, by: Option<&Shopper>) {
        doc.cents.clear();
        doc.referred_by = by.map(|it| it.name.clone());
    }
}

crate::layouts::declared!(Shopper, Article, Receipt);

const KIM: CustomerId = CustomerId(Uuid::from_u128(1));
const BO: CustomerId = CustomerId(Uuid::from_u128(2));

fn ordered(customer: CustomerId, skus: &[&str]) -> ShopEvent {
    ShopEvent::Ordered(Ordered { customer, skus: skus.iter().map(|sku| (*sku).to_owned()).collect() })
}

fn returned(customer: CustomerId, referred_by: Option<CustomerId>) -> ShopEvent {
    ShopEvent::Returned(Returned { customer, referred_by })
}

fn article(sku: &str, cents: i64) -> Article {
    Article { sku: sku.to_owned(), cents }
}

async fn shop(store: &Store) -> rillflow::Result<()> {
    for (id, name) in [(KIM, "Kim"), (BO, "Bo")] {
        store.docs().put(&Shopper { id, name: name.to_owned() }).await?;
    }
    for (sku, cents) in [("tea", 300), ("cup", 900)] {
        store.docs().put(&article(sku, cents)).await?;
    }
    Ok(())
}

async fn shop_with(lifecycle: Lifecycle) -> Result<(crate::support::Db, Store), Box<dyn std::error::Error>> {
    // neither `Shopper` nor `Article` is named here: the projection brings the collections that it looks at
    let (db, store) = store_with(|it| it.schema("app").projection::<Receipts>(lifecycle)).await?;
    shop(&store).await?;
    Ok((db, store))
}

async fn receipt(store: &Store, order: Uuid) -> rillflow::Result<Option<Receipt>> {
    Ok(store.docs().get::<Receipt>(&order).await?.map(|(doc, _)| doc))
}

#[tokio::test]
async fn handlers_see_what_they_look_up_in_whatever_way_they_are_run() -> TestResult {
    for lifecycle in [Inline, Async] {
        let (_db, store) = shop_with(lifecycle).await?;
        let orders: Vec<_> = (0..30).map(|n| Uuid::from_u128(100 + n)).collect();
        for (n, order) in orders.iter().enumerate() {
            let customer = [KIM, BO, CustomerId(Uuid::from_u128(99))][n % 3];
            let events = vec![ordered(customer, &["cup", "tea"][..n % 3])];
            store.events().append_stream(*order, Expected::NoStream, events).await?;
        }
        store.events().append_stream(orders[4], Expected::Any, [returned(BO, Some(KIM))]).await?;
        store.events().append_stream(orders[5], Expected::Any, [returned(BO, None)]).await?;

        assert_projection_agrees::<Receipts>(&store).await?;
        let of = async |n: usize| Ok::<_, Error>(receipt(&store, orders[n]).await?.map(|it| (it.name, it.cents)));
        assert_eq!(of(0).await?, Some(("Kim".to_owned(), vec![])));
        assert_eq!(of(1).await?, Some(("Bo".to_owned(), vec![900])));
        assert_eq!(of(2).await?, Some(("nobody".to_owned(), vec![900, 300])), "in the order of their ids");
        assert_eq!(receipt(&store, orders[4]).await?.and_then(|it| it.referred_by), Some("Kim".to_owned()));
        assert_eq!(receipt(&store, orders[5]).await?.and_then(|it| it.referred_by), None);
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_looks_up_each_collection_in_one_statement() -> TestResult {
    let (_db, store) = shop_with(Async).await?;
    let append = async |events: usize| {
        for n in 0..events {
            let customer = if n % 2 == 0 { KIM } else { BO };
            store.events().append_stream(Uuid::now_v7(), Expected::NoStream, [ordered(customer, &["tea"])]).await?;
        }
        Ok::<_, Error>(())
    };
    append(100).await?;
    statements_sent();
    store.projections().run_until_idle("receipts").await?;
    let reads = statements_about("SELECT id, doc FROM");
    let of = |table: &str| reads.iter().filter(|it| it.contains(table)).count();
    assert_eq!((of("docs_shoppers"), of("docs_articles"), reads.len()), (1, 1, 2), "{reads:?}");
    Ok(())
}

#[tokio::test]
async fn an_inline_handler_sees_what_its_own_session_stores() -> TestResult {
    let (_db, store) = shop_with(Inline).await?;
    let (order, new) = (Uuid::now_v7(), CustomerId(Uuid::from_u128(7)));
    let mut session = store.session();
    session.store(&Shopper { id: new, name: "Newcomer".to_owned() })?;
    session.append(order, Expected::NoStream, [ordered(new, &[])])?;
    session.commit().await?;
    assert_eq!(receipt(&store, order).await?.map(|it| it.name), Some("Newcomer".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_document_that_is_deleted_softly_is_not_found() -> TestResult {
    let (_db, store) = shop_with(Inline).await?;
    store.docs().delete::<Shopper>(&KIM).await?;
    let order = Uuid::now_v7();
    store.events().append_stream(order, Expected::NoStream, [ordered(KIM, &[])]).await?;
    assert_eq!(receipt(&store, order).await?.map(|it| it.name), Some("nobody".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_dead_letter_that_is_tried_again_looks_up_what_is_there_now() -> TestResult {
    let (_db, store) = shop_with(Async).await?;
    let mut config = rillflow::DaemonConfig::default();
    (config.max_attempts, config.first_retry) = (2, std::time::Duration::from_millis(1));
    let projections = store.projections().with_config(config);
    let order = Uuid::now_v7();
    store.events().append_stream(order, Expected::NoStream, [ordered(KIM, &["pot"])]).await?;
    projections.run_until_idle("receipts").await?;
    let letters = projections.dlq_list("receipts", 10).await?;
    assert!(letters[0].error.as_ref().is_some_and(|it| it.contains("there are only")), "{letters:?}");

    store.docs().put(&article("pot", 2000)).await?;
    assert_eq!(projections.dlq_requeue("receipts", letters[0].id).await?.applied, 1);
    assert_eq!(receipt(&store, order).await?.map(|it| it.cents), Some(vec![2000]));
    Ok(())
}

#[test]
fn lookups_need_no_database_in_a_test_of_the_projection() {
    given_projection::<Receipts>()
        .stream(Uuid::from_u128(7))
        .lookup(&Shopper { id: KIM, name: "Kim".to_owned() })
        .lookup(&article("tea", 300))
        .events([ordered(KIM, &["tea"])])
        .then_document(Uuid::from_u128(7), |it| it.name == "Kim" && it.cents == [300])
        .lookup(&article("tea", 350))
        .events([ordered(BO, &["tea"])])
        .then_document(Uuid::from_u128(7), |it| it.name == "nobody" && it.cents == [300, 350]);
}

/// Another name for the same documents.
type Same = Receipt;

struct Own;

#[projection(name = "own", events = ShopEvent, document = Receipt, key = stream, ignore(Returned))]
impl Own {
    #[lookup]
    fn first(e: &Ordered) -> Option<Uuid> {
        Some(e.customer.0)
    }

    fn on_ordered(doc: &mut Receipt, _: &Ordered, first: Option<&Same>) {
        doc.last = first.map_or(0, |it| it.last);
    }
}

#[tokio::test]
async fn a_projection_that_looks_up_its_own_documents_is_refused() {
    let refused = Store::builder("postgres://nobody@localhost/is_asked").projection::<Own>(Async).build().await;
    let Err(Error::Schema { problem, .. }) = refused else { panic!("{refused:?}") };
    assert!(problem.contains("`receipts`, which it keeps itself"), "{problem}");
}
