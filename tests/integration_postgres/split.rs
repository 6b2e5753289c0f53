use futures_util::TryStreamExt;
use rillflow::Lifecycle::{Async, Inline};
use rillflow::{Aggregate, Document, Error, Event, EventSet, Expected, TagQuery, handlers, projection};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::support::{SOON, TestResult, append_raw, store, store_with};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Opened {
    name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Verified {
    email: String,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(split("account-registered" => registered -> (Opened, Verified)))]
#[event(split("account-registered", 2 => json_registered -> (Opened, Verified)))]
enum AccountEvent {
    #[event(name = "account-opened")]
    Opened(Opened),
    #[event(name = "account-verified")]
    Verified(Verified),
}

/// An account was opened and verified at once, before one could be without the other.
#[derive(Deserialize)]
struct Registered {
    name: String,
    email: String,
}

fn registered(old: Registered) -> (Opened, Verified) {
    (Opened { name: old.name }, Verified { email: old.email })
}

fn json_registered(old: serde_json::Value) -> (Opened, Verified) {
    let text = |key: &str| old[key].as_str().unwrap_or_default().to_owned();
    (Opened { name: text("n") }, Verified { email: text("e") })
}

#[derive(Clone, Debug, Default, PartialEq, Aggregate)]
#[aggregate(events = AccountEvent, stream = "account")]
struct Account {
    told: Vec<String>,
}

#[handlers]
impl Account {
    fn on_opened(&mut self, e: &Opened) {
        self.told.push(e.name.clone());
    }

    fn on_verified(&mut self, e: &Verified) {
        self.told.push(e.email.clone());
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Document)]
struct Mail {
    #[document(id)]
    id: Uuid,
    email: String,
    #[document(opaque)]
    places: Vec<(i64, i64)>,
}

/// Knows of one part only.
struct Mails;

#[projection(name = "mails", events = AccountEvent, document = Mail, key = stream, ignore(Opened))]
impl Mails {
    fn on_verified(doc: &mut Mail, e: &Verified, at: &rillflow::EventEnvelope) {
        doc.email.clone_from(&e.email);
        doc.places.push((at.global_seq, at.stream_seq));
    }
}

const OLD: &str = r#"{"name":"kim","email":"kim@example.com"}"#;

crate::layouts::declared!(Mail);

#[tokio::test]
async fn one_stored_event_is_read_as_several_wherever_events_are_read() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<Mails>(Async)).await?;
    let old = append_raw(&store, "account-registered", 1, OLD).await?;
    append_raw(&store, "account-registered", 2, r#"{"n":"bo","e":"bo@example.com"}"#).await?;
    let envelope = store.events().all().events_of::<AccountEvent>().fetch_all().await?.remove(0);
    let (opened, verified) = registered(serde_json::from_str(OLD)?);
    let both = [AccountEvent::Opened(opened), AccountEvent::Verified(verified)];
    assert_eq!(envelope.decode_each::<AccountEvent>()?, both);
    let one = envelope.decode::<AccountEvent>();
    assert!(matches!(&one, Err(Error::SplitEvent { name, version: 1 }) if name == "account-registered"), "{one:?}");

    // the aggregate, and new events behind it
    let id = envelope.stream_id;
    sqlx::query("INSERT INTO streams (stream_id, category, version) VALUES ($1, 'account', 1)")
        .bind(id.0)
        .execute(store.pool())
        .await?;
    let account = store.aggregate::<Account>(id);
    account.append(Expected::Exact(1), vec![AccountEvent::Verified(Verified { email: "new".to_owned() })]).await?;
    let loaded = account.load().await?;
    assert_eq!((loaded.version, loaded.told.join(" ")), (2, "kim kim@example.com new".to_owned()));

    let all: Vec<_> =
        store.events().all().events_of::<AccountEvent>().fetch().decode::<AccountEvent>().try_collect().await?;
    assert_eq!((&all[..2], all.len()), (&both[..], 5));

    // a projection that knows of one part gets the old event too, at its place
    let _daemon = store.start_daemon().await?;
    store.wait_for("mails", 3, SOON).await?;
    let mail = store.docs().get::<Mail>(&id.0).await?.map(|it| it.0).ok_or("no mail")?;
    assert_eq!((mail.email.as_str(), mail.places), ("new", vec![(old, 1), (3, 2)]));
    Ok(())
}

#[tokio::test]
async fn a_version_that_nobody_splits_is_unknown_and_a_part_that_does_not_fit_is_told() -> TestResult {
    let (_db, store) = store().await?;
    append_raw(&store, "account-registered", 3, OLD).await?;
    append_raw(&store, "account-registered", 1, "{}").await?;
    let events = store.events().all().fetch_all().await?;
    let unknown = events[0].decode_each::<AccountEvent>();
    assert!(matches!(unknown, Err(Error::UnknownEvent { version: 3, .. })), "{unknown:?}");
    assert!(matches!(events[1].decode_each::<AccountEvent>(), Err(Error::Decode { .. })));
    let names: Vec<_> = AccountEvent::TYPES.iter().map(|it| (it.name, it.version)).collect();
    let gone = [("account-registered", 1), ("account-registered", 2)];
    assert_eq!(names, [("account-opened", 1), ("account-verified", 1), gone[0], gone[1]]);
    Ok(())
}

#[tokio::test]
async fn parts_are_found_by_tags_and_kept_by_inline_projections() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<Mails>(Inline)).await?;
    let id = Uuid::now_v7();
    let old = Event::new("account-registered", &serde_json::from_str::<serde_json::Value>(OLD)?).with_tag("n", &1);
    store.events().append_stream(id, Expected::NoStream, [old]).await?;
    assert_eq!(store.docs().get::<Mail>(&id).await?.map(|it| it.0.email), Some("kim@example.com".to_owned()));
    assert_eq!(store.tagged::<Account>(TagQuery::tag("n", &1)).load().await?.told.len(), 2);
    rillflow::testing::given::<Account>([])
        .stored("account-registered", 1, &serde_json::json!({ "name": "a", "email": "b" }))
        .then_state(|it| it.told == ["a", "b"]);
    Ok(())
}
