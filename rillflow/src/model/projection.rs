//! Projections: pure functions from events to changed documents. The runtime loads, writes and keeps the checkpoint.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{Collection, Document, DocumentId, EventEnvelope, EventSet, EventType, IdValue, SqlType, SqlValue};
use crate::{BoxError, Error, Result};

/// When a projection runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// In the transaction of the append: the read model is never behind, and appends pay for it.
    Inline,
    /// Behind the append, by the daemon: batches, a checkpoint, one owner at a time.
    Async,
}

/// Events of many streams folded into one kind of document. `#[projection]` writes the implementation.
///
/// Each event it handles has a handler and a key. The `#[key]` function names the documents that the event changes: one
/// id, an `Option` of one, or a `Vec` of several. The handler, a function `on_..`, changes one of them; it is pure, and
/// returns nothing or a `Result<(), E>`. Both may take the event as recorded as well, `at: &EventEnvelope`. A document
/// that is not there yet is its `Default` with the id set. An event of the set without a handler does not compile,
/// unless it is listed in `ignore(..)`. A new `version` builds the documents anew.
///
/// With `key = stream` in place of the key functions, an event changes the document that has its stream's id: the
/// document's id type is `Uuid`, `String`, or any other that is `From<Uuid>`.
///
/// ```
/// use rillflow::{Event, EventEnvelope, projection};
/// # use rillflow::__private::{Collection, Document, PathSet, SqlType};
/// # use serde::{Deserialize, Serialize};
/// # use uuid::Uuid;
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Placed { pub customer: Uuid, pub total: i64 }
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Shipped { pub tracking: String }
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Cancelled { pub customer: Uuid }
/// # #[derive(Default, Serialize, Deserialize)]
/// # pub struct CustomerSales { pub id: Uuid, pub total: i64, pub cancelled: i64, pub last: i64 }
/// # #[derive(Clone, Copy)]
/// # pub struct Paths;
/// # impl PathSet for Paths { const NEW: Self = Self; }
/// # impl Document for CustomerSales {
/// #     type Id = Uuid;
/// #     type Paths = Paths;
/// #     const COLLECTION: &'static Collection = &Collection {
/// #         type_name: "", name: "", table: "", id_type: SqlType::Uuid, create_table: "", indexes: &[],
/// #     };
/// #     fn id(&self) -> &Uuid { &self.id }
/// #     fn set_id(&mut self, id: Uuid) { self.id = id; }
/// # }
///
/// #[derive(Event)]
/// pub enum OrderEvent {
///     Placed(Placed),
///     Shipped(Shipped),
///     Cancelled(Cancelled),
/// }
///
/// pub struct SalesProjection;
///
/// #[projection(
///     name = "customer-sales",
///     version = 3,
///     events = OrderEvent,
///     document = CustomerSales,
///     ignore(Shipped)
/// )]
/// impl SalesProjection {
///     #[key]
///     fn of_placed(e: &Placed) -> Uuid {
///         e.customer
///     }
///
///     #[key]
///     fn of_cancelled(e: &Cancelled) -> Uuid {
///         e.customer
///     }
///
///     fn on_placed(doc: &mut CustomerSales, e: &Placed, at: &EventEnvelope) {
///         doc.total += e.total;
///         doc.last = at.global_seq;
///     }
///
///     fn on_cancelled(doc: &mut CustomerSales, _: &Cancelled) {
///         doc.cancelled += 1;
///     }
/// }
/// ```
pub trait DocumentProjection: Sized + Send + Sync + 'static {
    /// The events it reads.
    type Events: EventSet + Route<Self>;
    /// The documents it keeps.
    type Document: Document + Default;
    /// Its name: the row of its checkpoint.
    const NAME: &'static str;
    /// Its version: a new one builds the read model anew.
    const VERSION: i32;
    /// The events it handles; the others are never read for it.
    const TYPES: &'static [EventType];
}

/// The id type of the documents that a projection keeps.
pub(crate) type KeyOf<P> = <<P as DocumentProjection>::Document as Document>::Id;

/// What a projection does with one event. `#[projection]` writes it.
#[diagnostic::on_unimplemented(
    message = "projection `{Self}` has no handler for event `{E}`",
    label = "missing handler for `{E}`",
    note = "add a `#[key]` function and `fn on_event(doc: &mut .., e: &{E})`, or list it in `ignore({E})`"
)]
pub trait On<E>: DocumentProjection {
    /// Names the documents that `event` changes.
    fn keys(event: &E, at: &EventEnvelope, push: &mut dyn FnMut(KeyOf<Self>));

    /// Changes one of them.
    ///
    /// # Errors
    ///
    /// Whatever the handler reports.
    fn apply(doc: &mut Self::Document, event: &E, at: &EventEnvelope) -> Result<(), BoxError>;
}

/// Hands an event to its handler; implemented only for projections that handle or ignore every event of the set.
#[doc(hidden)]
pub trait Route<P: DocumentProjection> {
    /// As [`On::keys`].
    fn keys(&self, at: &EventEnvelope, push: &mut dyn FnMut(KeyOf<P>));
    /// As [`On::apply`].
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn apply(&self, doc: &mut P::Document, at: &EventEnvelope) -> Result<(), BoxError>;
}

/// What a `#[key]` function may return: a key, an `Option` of one, or a `Vec` of several.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a document with ids of type `{K}`",
    label = "expected `{K}`, `Option<{K}>` or `Vec<{K}>`"
)]
pub trait IntoKeys<K> {
    /// Hands over each key.
    fn push_keys(self, push: &mut dyn FnMut(K));
}

impl<K: DocumentId> IntoKeys<K> for K {
    fn push_keys(self, push: &mut dyn FnMut(K)) {
        push(self);
    }
}

impl<K> IntoKeys<K> for Option<K> {
    fn push_keys(self, push: &mut dyn FnMut(K)) {
        self.into_iter().for_each(push);
    }
}

impl<K> IntoKeys<K> for Vec<K> {
    fn push_keys(self, push: &mut dyn FnMut(K)) {
        self.into_iter().for_each(push);
    }
}

/// What an `on_*` function may return: nothing, or a `Result`.
#[diagnostic::on_unimplemented(
    message = "a projection handler returns nothing or a `Result<(), E>`, not `{Self}`",
    label = "not a handler's result"
)]
pub trait IntoOutcome {
    /// As the runtime takes it.
    #[allow(clippy::missing_errors_doc, reason = "the error is the handler's")]
    fn into_outcome(self) -> Result<(), BoxError>;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError>> IntoOutcome for Result<(), E> {
    fn into_outcome(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

/// A projection as the runtime sees it: no types, no I/O.
#[doc(hidden)]
pub trait AnyProjection: Send + Sync {
    /// [`DocumentProjection::NAME`].
    fn name(&self) -> &'static str;
    /// [`DocumentProjection::VERSION`].
    fn version(&self) -> i32;
    /// [`DocumentProjection::TYPES`].
    fn types(&self) -> &'static [EventType];
    /// Where its documents live.
    fn collection(&self) -> &'static Collection;
    /// An empty batch.
    fn batch(&self) -> Box<dyn ProjectionBatch>;
}

/// One batch of events on its way into documents: push all, load the documents, fold, write what changed.
#[doc(hidden)]
pub trait ProjectionBatch: Send {
    /// Decodes an event and notes which documents it changes.
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn push(&mut self, event: EventEnvelope) -> Result<()>;
    /// The ids to load, as one array parameter.
    fn ids(&self) -> SqlValue;
    /// True when no document is touched.
    fn is_empty(&self) -> bool;
    /// Hands over a stored document.
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn load(&mut self, id: &IdValue, version: i64, json: &[u8]) -> Result<()>;
    /// The position of the event to fold next; `None` when all are folded.
    fn next(&self) -> Option<i64>;
    /// Applies the next event to one of its documents.
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn fold_next(&mut self) -> Result<()>;
    /// The documents after the fold.
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn changes(&self) -> Result<Changes>;
}

/// Documents to write in one statement: three arrays of one length, in the order of the ids.
#[doc(hidden)]
#[derive(Debug)]
pub struct Changes {
    /// The ids, as one array parameter.
    pub ids: SqlValue,
    /// The version each was loaded at, 0 for a new one.
    pub versions: Vec<i64>,
    /// The documents as JSON text.
    pub docs: Vec<String>,
}

/// Makes a [`DocumentProjection`] an [`AnyProjection`].
struct Erased<P>(PhantomData<fn() -> P>);

impl<P: DocumentProjection> AnyProjection for Erased<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }
    fn version(&self) -> i32 {
        P::VERSION
    }
    fn types(&self) -> &'static [EventType] {
        P::TYPES
    }
    fn collection(&self) -> &'static Collection {
        P::Document::COLLECTION
    }
    fn batch(&self) -> Box<dyn ProjectionBatch> {
        Box::new(Batch::<P> {
            events: Vec::new(),
            slots: Vec::new(),
            index: HashMap::new(),
            touches: Vec::new(),
            folded: 0,
        })
    }
}

/// A projection the store knows, and when it runs.
#[doc(hidden)]
#[derive(Clone)]
pub struct Registered {
    /// The projection.
    pub projection: Arc<dyn AnyProjection>,
    /// When it runs.
    pub lifecycle: Lifecycle,
}

impl Registered {
    /// Erases `P`.
    #[must_use]
    pub fn new<P: DocumentProjection>(lifecycle: Lifecycle) -> Self {
        Self { projection: Arc::new(Erased::<P>(PhantomData)), lifecycle }
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{} ({:?})", self.projection.name(), self.projection.version(), self.lifecycle)
    }
}

/// A document that the batch touches.
struct Slot<P: DocumentProjection> {
    id: IdValue,
    version: i64,
    doc: P::Document,
}

struct Batch<P: DocumentProjection> {
    events: Vec<(P::Events, EventEnvelope)>,
    slots: Vec<Slot<P>>,
    index: HashMap<IdValue, usize>,
    /// Which event changes which slot, in the order of the events.
    touches: Vec<(usize, usize)>,
    /// How many of them are done.
    folded: usize,
}

impl<P: DocumentProjection> Batch<P> {
    /// The slot of `key`; a new one holds the document as it is when nothing is stored.
    fn slot(slots: &mut Vec<Slot<P>>, index: &mut HashMap<IdValue, usize>, key: KeyOf<P>) -> usize {
        let id = key.id_value();
        *index.entry(id).or_insert_with_key(|id| {
            let mut doc = P::Document::default();
            doc.set_id(key);
            slots.push(Slot { id: id.clone(), version: 0, doc });
            slots.len() - 1
        })
    }
}

impl<P: DocumentProjection> ProjectionBatch for Batch<P> {
    fn push(&mut self, at: EventEnvelope) -> Result<()> {
        let event: P::Events = at.decode()?;
        let number = self.events.len();
        event.keys(&at, &mut |key| {
            let slot = Self::slot(&mut self.slots, &mut self.index, key);
            self.touches.push((number, slot));
        });
        self.events.push((event, at));
        Ok(())
    }

    fn ids(&self) -> SqlValue {
        id_array(<KeyOf<P> as DocumentId>::SQL_TYPE, self.slots.iter().map(|slot| slot.id.clone()))
    }

    fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn load(&mut self, id: &IdValue, version: i64, json: &[u8]) -> Result<()> {
        if let Some(slot) = self.index.get(id).and_then(|&at| self.slots.get_mut(at)) {
            slot.doc = serde_json::from_slice(json)
                .map_err(|source| Error::Decode { what: format!("{} {id}", P::Document::COLLECTION.name), source })?;
            slot.version = version;
        }
        Ok(())
    }

    fn next(&self) -> Option<i64> {
        self.touches.get(self.folded).map(|&(event, _)| self.events[event].1.global_seq)
    }

    fn fold_next(&mut self) -> Result<()> {
        let Some(&(event, slot)) = self.touches.get(self.folded) else { return Ok(()) };
        self.folded += 1;
        let (event, at) = &self.events[event];
        event.apply(&mut self.slots[slot].doc, at).map_err(|source| Error::Projection {
            name: P::NAME.to_owned(),
            position: at.global_seq,
            source,
        })
    }

    fn changes(&self) -> Result<Changes> {
        // in id order, so that writers of the same documents lock them in the same order
        let mut slots: Vec<_> = self.slots.iter().collect();
        slots.sort_by(|a, b| a.id.cmp(&b.id));
        let docs = slots.iter().map(|slot| encode::<P>(slot)).collect::<Result<_>>()?;
        Ok(Changes {
            ids: id_array(<KeyOf<P> as DocumentId>::SQL_TYPE, slots.iter().map(|slot| slot.id.clone())),
            versions: slots.iter().map(|slot| slot.version).collect(),
            docs,
        })
    }
}

fn encode<P: DocumentProjection>(slot: &Slot<P>) -> Result<String> {
    serde_json::to_string(&slot.doc).map_err(|e| Error::Encode {
        what: format!("{} {}", P::Document::COLLECTION.name, slot.id),
        reason: e.to_string(),
    })
}

/// Ids as one array parameter of the id column's type.
pub(crate) fn id_array(sql_type: SqlType, ids: impl Iterator<Item = IdValue>) -> SqlValue {
    match sql_type {
        SqlType::Uuid => {
            SqlValue::Uuids(ids.filter_map(|id| if let IdValue::Uuid(id) = id { Some(id) } else { None }).collect())
        }
        SqlType::Int => {
            SqlValue::Ints(ids.filter_map(|id| if let IdValue::Int(id) = id { Some(id) } else { None }).collect())
        }
        _ => SqlValue::Texts(ids.map(|id| id.to_string()).collect()),
    }
}

#[cfg(all(test, feature = "derive"))]
mod tests;
