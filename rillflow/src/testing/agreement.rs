//! A read model against the events it was made of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::model::{Document, DocumentId, DocumentProjection, EventEnvelope, IdValue, Lifecycle, Registered};
use crate::{Error, Result, Store};

/// How many events are read at once.
const PAGE: i64 = 1000;
/// How long the check waits for a projection that another process runs.
const PATIENCE: Duration = Duration::from_secs(30);

type Documents = BTreeMap<IdValue, Value>;

/// Checks that a projection comes to the same read model in whatever way it is run: folded event by event as inline,
/// in small and in large batches as behind the appends, built anew beside the live one, and as it is stored now, after
/// all that this store has been through.
///
/// Call it at the end of a test, when nobody appends any more. Lets the projection catch up first, and rebuilds it when
/// it is async. Events that are set aside as dead letters are left out.
///
/// ```no_run
/// # use rillflow::{Document, Event, Store, projection};
/// # use serde::{Deserialize, Serialize};
/// # use uuid::Uuid;
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Placed { pub customer: Uuid, pub total: i64 }
/// # #[derive(Event)]
/// # pub enum OrderEvent { Placed(Placed) }
/// # #[derive(Default, Serialize, Deserialize, Document)]
/// # pub struct Sales { #[document(id)] id: Uuid, total: i64 }
/// # pub struct SalesProjection;
/// # #[projection(name = "sales", events = OrderEvent, document = Sales)]
/// # impl SalesProjection {
/// #     #[key] fn of_placed(e: &Placed) -> Uuid { e.customer }
/// #     fn on_placed(doc: &mut Sales, e: &Placed) { doc.total += e.total; }
/// # }
/// # async fn example(store: Store) -> rillflow::Result<()> {
/// rillflow::testing::assert_projection_agrees::<SalesProjection>(&store).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Error::UnknownProjection`] when the store does not know the projection, [`Error::Projection`] when an event fails
/// that is not set aside, and those of the database.
///
/// # Panics
///
/// When two of the read models differ; the message says which, and in which document.
pub async fn assert_projection_agrees<P: DocumentProjection>(store: &Store) -> Result<()> {
    let events = events_of::<P>(store).await?;
    let last = events.last().map_or(0, |event| event.global_seq);
    let lifecycle = store.lifecycle(P::NAME)?;
    if lifecycle == Lifecycle::Async {
        store.projections().run_until_idle(P::NAME).await?;
        store.wait_for(P::NAME, last, PATIENCE).await?;
    }
    let aside = store.projections().dlq_list(P::NAME, u32::MAX).await?;
    let aside: Vec<_> = aside.into_iter().map(|letter| letter.position).collect();
    let events: Vec<_> = events.into_iter().filter(|event| !aside.contains(&event.global_seq)).collect();

    let one_by_one = folded::<P>(store, &events, 1).await?;
    for size in [7, events.len().max(1)] {
        let batches = folded::<P>(store, &events, size).await?;
        assert_same("folded one by one", &one_by_one, &format!("in batches of {size}"), &batches);
    }
    assert_same("folded from the log", &one_by_one, "as it is stored", &stored::<P>(store).await?);
    if lifecycle == Lifecycle::Async && aside.is_empty() {
        store.projections().rebuild(P::NAME, |_| {}).await?;
        assert_same("folded from the log", &one_by_one, "as it is rebuilt", &stored::<P>(store).await?);
    }
    Ok(())
}

/// Every settled event that the projection handles.
async fn events_of<P: DocumentProjection>(store: &Store) -> Result<Vec<Arc<EventEnvelope>>> {
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = store.events().read_all(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(events) };
        after = last.global_seq;
        let handled = |event: &EventEnvelope| P::TYPES.iter().any(|handled| *handled.name == *event.typ);
        events.extend(page.into_iter().filter(|event| handled(event)).map(Arc::new));
    }
}

/// The documents that the events make, in batches of a size. What handlers look up is as it is stored now.
async fn folded<P: DocumentProjection>(store: &Store, events: &[Arc<EventEnvelope>], size: usize) -> Result<Documents> {
    let registered = Registered::new::<P>(Lifecycle::Inline);
    let Some(projection) = registered.documents() else { return Ok(Documents::new()) };
    let mut documents: BTreeMap<IdValue, String> = BTreeMap::new();
    for events in events.chunks(size) {
        let mut batch = projection.batch();
        for event in events {
            batch.push(event.clone())?;
        }
        for id in IdValue::each(batch.ids()) {
            if let Some(json) = documents.get(&id) {
                batch.load(&id, 1, json.as_bytes())?;
            }
        }
        store.look_up(&mut *batch).await?;
        while batch.next().is_some() {
            batch.fold_next()?;
        }
        let changes = batch.changes()?;
        documents.extend(IdValue::each(changes.ids).into_iter().zip(changes.docs));
        for id in IdValue::each(changes.removed) {
            documents.remove(&id);
        }
    }
    let parsed = |(id, json): (IdValue, String)| match serde_json::from_str(&json) {
        Ok(document) => Ok((id, document)),
        Err(source) => Err(Error::Decode { what: P::Document::COLLECTION.name.to_owned(), source }),
    };
    documents.into_iter().map(parsed).collect()
}

/// The documents as they are stored.
async fn stored<P: DocumentProjection>(store: &Store) -> Result<Documents> {
    let documents = store.docs().query::<P::Document>().fetch_all().await?;
    let shown = |document: &P::Document| match serde_json::to_value(document) {
        Ok(value) => Ok((document.id().id_value(), value)),
        Err(e) => Err(Error::Encode { what: P::Document::COLLECTION.name.to_owned(), reason: e.to_string() }),
    };
    documents.iter().map(shown).collect()
}

#[track_caller]
fn assert_same(one: &str, left: &Documents, other: &str, right: &Documents) {
    let ids: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
    let shown = |document: Option<&Value>| document.map_or_else(|| "nothing".to_owned(), |it| format!("{it:#}"));
    for id in ids {
        let (left, right) = (left.get(id), right.get(id));
        assert!(left == right, "document {id} {one}:\n{}\n{other}:\n{}", shown(left), shown(right));
    }
}
