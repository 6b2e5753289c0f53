//! Given events, then documents: tests of projections without a database.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Verdict;
use crate::model::{
    Document, DocumentId, DocumentProjection, Event, EventEnvelope, IdValue, Lifecycle, RawJson, Registered, StreamId,
    StreamKey,
};

/// Begins a test of a projection: the events that it is given, and then the documents that it makes of them.
///
/// Everything but the database is as in a store: events are written and read back, those that the projection does not
/// ask for are not handed to it, and documents are stored and loaded as JSON between two checks.
///
/// ```
/// # use rillflow::{Document, Event, EventEnvelope, projection};
/// use rillflow::testing::given_projection;
/// # use serde::{Deserialize, Serialize};
/// # use uuid::Uuid;
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Placed { pub customer: Uuid, pub total: i64 }
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Shipped {}
/// # #[derive(Event)]
/// # pub enum OrderEvent { Placed(Placed), Shipped(Shipped) }
/// # #[derive(Debug, Default, Serialize, Deserialize, Document)]
/// # pub struct Sales { #[document(id)] id: Uuid, total: i64, year: i32 }
/// # pub struct SalesProjection;
/// # #[projection(name = "sales", events = OrderEvent, document = Sales, ignore(Shipped))]
/// # impl SalesProjection {
/// #     #[key] fn of_placed(e: &Placed) -> Uuid { e.customer }
/// #     fn on_placed(doc: &mut Sales, e: &Placed, at: &EventEnvelope) {
/// #         use chrono::Datelike;
/// #         doc.total += e.total;
/// #         doc.year = at.created_at.year();
/// #     }
/// # }
/// let (kim, bo) = (Uuid::from_u128(1), Uuid::from_u128(2));
/// let placed = |customer, total| OrderEvent::Placed(Placed { customer, total });
///
/// given_projection::<SalesProjection>()
///     .stream(Uuid::from_u128(7))
///     .time("2026-02-01T12:00:00Z".parse()?)
///     .events([placed(kim, 3), placed(kim, 4)])
///     .then_document(kim, |sales| sales.total == 7 && sales.year == 2026)
///     .then_no_document(bo);
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[must_use = "say what is expected: `then_document` or `then_no_document`"]
pub fn given_projection<P: DocumentProjection>() -> GivenProjection<P> {
    GivenProjection {
        documents: HashMap::new(),
        elsewhere: HashMap::new(),
        next: Next {
            global_seq: 1,
            stream_id: StreamId(Uuid::from_u128(1)),
            versions: HashMap::new(),
            time: DateTime::UNIX_EPOCH + Duration::days(365 * 50),
        },
        projection: PhantomData,
    }
}

/// A projection with the events that were given. [`given_projection`] makes it.
pub struct GivenProjection<P> {
    /// As a store would keep them.
    documents: HashMap<IdValue, String>,
    /// The documents of other collections, by table and id.
    elsewhere: HashMap<(&'static str, IdValue), String>,
    next: Next,
    projection: PhantomData<fn() -> P>,
}

impl<P> std::fmt::Debug for GivenProjection<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GivenProjection").field("documents", &self.documents).finish_non_exhaustive()
    }
}

/// What the next event is recorded with.
struct Next {
    global_seq: i64,
    stream_id: StreamId,
    versions: HashMap<StreamId, i64>,
    time: DateTime<Utc>,
}

impl<P: DocumentProjection> GivenProjection<P> {
    /// The stream of the events that follow. Without it they are all of one.
    #[must_use = "say what is expected: `then_document` or `then_no_document`"]
    pub fn stream(mut self, stream: impl StreamKey) -> Self {
        self.next.stream_id = stream.stream_id();
        self
    }

    /// When the events that follow were recorded. Without it at some time that is always the same.
    #[must_use = "say what is expected: `then_document` or `then_no_document`"]
    pub fn time(mut self, time: DateTime<Utc>) -> Self {
        self.next.time = time;
        self
    }

    /// A document that is there already.
    ///
    /// # Panics
    ///
    /// When it does not serialise.
    #[must_use = "say what is expected: `then_document` or `then_no_document`"]
    #[track_caller]
    pub fn document(mut self, document: &P::Document) -> Self {
        match serde_json::to_string(document) {
            Ok(json) => self.documents.insert(document.id().id_value(), json),
            Err(error) => panic!("the document cannot be stored: {error}"),
        };
        self
    }

    /// A document of another collection, for handlers that look it up. It replaces one of the same id.
    ///
    /// # Panics
    ///
    /// When it does not serialise.
    #[must_use = "say what is expected: `then_document` or `then_no_document`"]
    #[track_caller]
    pub fn lookup<D: Document>(mut self, document: &D) -> Self {
        match serde_json::to_string(document) {
            Ok(json) => self.elsewhere.insert((D::COLLECTION.table, document.id().id_value()), json),
            Err(error) => panic!("the document cannot be stored: {error}"),
        };
        self
    }

    /// Folds events, each as it would be recorded: `P::Events`, or an [`Event`] with ids and headers of its own.
    ///
    /// # Panics
    ///
    /// When an event cannot be read, or its handler fails.
    #[must_use = "say what is expected: `then_document` or `then_no_document`"]
    #[track_caller]
    pub fn events<E: Into<Event>>(self, events: impl IntoIterator<Item = E>) -> Self {
        events.into_iter().fold(self, |given, event| given.fold(event.into()))
    }

    /// Folds an event as it was stored once: under an old name, at an old version.
    ///
    /// # Panics
    ///
    /// As [`events`](Self::events).
    #[must_use = "say what is expected: `then_document` or `then_no_document`"]
    #[track_caller]
    pub fn stored(self, name: &'static str, version: i32, payload: &impl Serialize) -> Self {
        let mut event = Event::new(name, payload);
        event.version = version;
        self.fold(event)
    }

    #[track_caller]
    fn fold(mut self, event: Event) -> Self {
        let at = self.next.record(event);
        if let Err(error) = self.project(&at) {
            panic!("event `{}`, the {}. of its stream: {error}", at.typ, at.stream_seq);
        }
        self
    }

    /// What a store does with a batch of one.
    fn project(&mut self, at: &EventEnvelope) -> crate::Result<()> {
        if !P::TYPES.iter().any(|handled| *handled.name == *at.typ) {
            return Ok(());
        }
        let registered = Registered::new::<P>(Lifecycle::Inline);
        let Some(projection) = registered.documents() else { return Ok(()) };
        let mut batch = projection.batch();
        batch.push(Arc::new(at.clone()))?;
        for (id, json) in &self.documents {
            batch.load(id, 1, json.as_bytes())?;
        }
        for (place, (collection, wanted)) in batch.lookups().into_iter().enumerate() {
            for id in IdValue::each(wanted) {
                if let Some(json) = self.elsewhere.get(&(collection.table, id.clone())) {
                    batch.found(place, &id, json.as_bytes())?;
                }
            }
        }
        while batch.next().is_some() {
            batch.fold_next()?;
        }
        let changes = batch.changes()?;
        for id in IdValue::each(changes.removed) {
            self.documents.remove(&id);
        }
        for json in changes.docs {
            let document: P::Document = serde_json::from_str(&json)
                .map_err(|source| crate::Error::Decode { what: P::Document::COLLECTION.name.to_owned(), source })?;
            self.documents.insert(document.id().id_value(), json);
        }
        Ok(())
    }

    /// Checks a document: `check` returns whether it is right, or nothing and asserts by itself.
    ///
    /// # Panics
    ///
    /// When there is none, or it is not right; the message shows it.
    #[track_caller]
    pub fn then_document<V: Verdict>(
        self,
        id: <P::Document as Document>::Id,
        check: impl FnOnce(&P::Document) -> V,
    ) -> Self {
        let id = id.id_value();
        let Some(json) = self.documents.get(&id) else { panic!("no document {id}; there are:\n{}", self.shown()) };
        match serde_json::from_str(json) {
            Ok(document) => {
                check(&document).or_panic(|| format!("document {id} is not as expected:\n{}", pretty(json)))
            }
            Err(error) => panic!("document {id} cannot be read back: {error}"),
        }
        self
    }

    /// Checks that there is no document with this id.
    ///
    /// # Panics
    ///
    /// When there is one.
    #[track_caller]
    pub fn then_no_document(self, id: <P::Document as Document>::Id) -> Self {
        let id = id.id_value();
        if let Some(json) = self.documents.get(&id) {
            panic!("expected no document {id}, but there is one:\n{}", pretty(json));
        }
        self
    }

    fn shown(&self) -> String {
        let mut all: Vec<_> = self.documents.iter().collect();
        all.sort();
        let all: Vec<_> = all.into_iter().map(|(id, json)| format!("  {id}: {json}")).collect();
        if all.is_empty() { "  none at all".to_owned() } else { all.join("\n") }
    }
}

impl Next {
    #[track_caller]
    fn record(&mut self, event: Event) -> EventEnvelope {
        let checked = |json: crate::Result<RawJson>| match json {
            Ok(json) => json,
            Err(error) => panic!("the event cannot be stored: {error}"),
        };
        let version = self.versions.entry(self.stream_id).or_insert(0);
        *version += 1;
        self.global_seq += 1;
        EventEnvelope {
            global_seq: self.global_seq - 1,
            stream_id: self.stream_id,
            stream_seq: *version,
            event_id: event.id,
            typ: event.name.into(),
            type_version: event.version,
            body: checked(event.body),
            headers: event.headers.map(checked),
            causation_id: event.causation_id,
            correlation_id: event.correlation_id,
            created_at: self.time,
        }
    }
}

fn pretty(json: &str) -> String {
    serde_json::from_str::<Value>(json).map_or_else(|_| json.to_owned(), |value| format!("{value:#}"))
}
