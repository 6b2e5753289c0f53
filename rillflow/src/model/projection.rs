//! Projections: pure functions from events to changed documents. The runtime loads, writes and keeps the checkpoint.

mod batch;
mod handler;
mod lookups;
mod registered;
mod shard;
#[cfg(all(test, feature = "derive"))]
mod tests;

use std::sync::Arc;

pub use handler::{AnyHandler, IntoHandled, OnSql, ProjectionHandler, RouteSql, SqlProjection};
pub use lookups::{Found, Lookups, OneKey, Wanted, WantedOf};
pub use registered::{Registered, Work};
pub use shard::Shard;

use super::{Collection, Document, DocumentId, EventEnvelope, EventSet, EventType, IdValue, SqlType, SqlValue};
use crate::{BoxError, Result};

/// When a projection runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// In the transaction of the append: the read model is never behind, and appends pay for it.
    Inline,
    /// Behind the append, by the daemon: batches, a checkpoint, one owner at a time.
    Async,
}

/// What becomes of an event that a projection fails on, when trying again did not help.
///
/// A failure is a handler's error or panic, an event that cannot be read, or a write that PostgreSQL refuses. A lost
/// connection is none: that is tried again for as long as it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The projection stays before the event, shows the error in its status, and keeps trying.
    #[default]
    Stop,
    /// The event becomes a dead letter, and the projection goes on without it.
    Skip,
    /// The event becomes a dead letter, and so do all later events of the same key: they wait in their order until
    /// the first is requeued or deleted. The key is the document; of an SQL projection, the stream.
    Park,
}

/// What a handler says about the document it was given.
///
/// ```
/// # use rillflow::{Document, DocumentOutcome, Event, projection};
/// # use serde::{Deserialize, Serialize};
/// # use uuid::Uuid;
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Opened { pub title: String }
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Closed {}
/// # #[derive(Event)]
/// # pub enum TicketEvent { Opened(Opened), Closed(Closed) }
/// # #[derive(Default, Serialize, Deserialize, Document)]
/// # pub struct OpenTicket { #[document(id)] id: Uuid, title: String }
/// # pub struct OpenTickets;
/// #[projection(name = "open-tickets", events = TicketEvent, document = OpenTicket, key = stream)]
/// impl OpenTickets {
///     fn on_opened(doc: &mut OpenTicket, e: &Opened) {
///         doc.title = e.title.clone();
///     }
///
///     fn on_closed(_: &mut OpenTicket, _: &Closed) -> DocumentOutcome {
///         DocumentOutcome::Delete
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DocumentOutcome {
    /// It is stored.
    #[default]
    Keep,
    /// It is removed. A later event of the same key begins with a new one.
    Delete,
}

/// Events of many streams folded into one kind of document. `#[projection]` writes the implementation.
///
/// Each event it handles has a handler and a key. The `#[key]` function names the documents that the event changes: one
/// id, an `Option` of one, or a `Vec` of several. The handler, a function `on_..`, changes one of them; it is pure, and
/// returns nothing or a `Result<(), E>`. Both may take the event as recorded as well, `at: &EventEnvelope`. A document
/// that is not there yet is its `Default` with the id set. An event of the set without a handler does not compile,
/// unless it is listed in `ignore(..)`. A new `version` builds the documents anew.
///
/// A handler may look at documents of other collections: it takes them as `customer: Option<&Customer>`, or several as
/// `articles: Vec<&Article>`, in any order with the event as recorded. A `#[lookup]` function says which: it returns an
/// id, an `Option` of one, or for several a `Vec`; where a handler takes more than one such parameter, it names its own,
/// `#[lookup(articles)]`. What a batch looks up is read at once, in one statement per collection, just before it is
/// folded; what is not there, or deleted, is `None`, and left out of a `Vec`. Handlers see documents **as they are when
/// the event is handled**, not as they were when it happened: an inline projection sees what its own transaction wrote;
/// behind the append, or in a rebuild, a document may have changed since. So a projection comes to the same read model
/// again only as far as what it looks up stays what it was; what must not change is better copied into the event. A
/// projection cannot look up the documents that it keeps itself.
///
/// With `key = stream` in place of the key functions, an event changes the document that has its stream's id: the
/// document's id type is `Uuid`, `String`, or any other that is `From<Uuid>`. Such a projection can be split: with
/// `shards = 4` it begins as four shards, each with the events of its own streams in their order, an owner and a checkpoint
/// of its own, spread over the processes that run a daemon. [`Projections::split`](crate::store::Projections::split)
/// changes their number later; for one that runs already the attribute changes nothing.
///
/// ```
/// use rillflow::{Event, EventEnvelope, projection};
/// # use rillflow::Document;
/// # use serde::{Deserialize, Serialize};
/// # use uuid::Uuid;
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Placed { pub customer: Uuid, pub total: i64 }
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Shipped { pub tracking: String }
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Cancelled { pub customer: Uuid }
/// # #[derive(Default, Serialize, Deserialize, Document)]
/// # pub struct CustomerSales { #[document(id)] pub id: Uuid, pub total: i64, pub cancelled: i64, pub last: i64 }
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
    /// What becomes of an event that it fails on.
    const ON_FAILURE: OnFailure = OnFailure::Stop;
    /// How many shards it begins with; `None` when one stream's events change what another's do, so that it cannot be
    /// split.
    const SHARDS: Option<i32> = None;
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

    /// Names the documents of other collections that the handler looks at.
    fn lookups(wanted: &mut Wanted<'_, E>) {
        let _ = wanted;
    }

    /// Changes one of them.
    ///
    /// # Errors
    ///
    /// Whatever the handler reports.
    fn apply(
        doc: &mut Self::Document,
        event: &E,
        at: &EventEnvelope,
        found: Found<'_>,
    ) -> Result<DocumentOutcome, BoxError>;
}

/// Hands an event to its handler; implemented only for projections that handle or ignore every event of the set.
#[doc(hidden)]
pub trait Route<P: DocumentProjection> {
    /// As [`On::keys`].
    fn keys(&self, at: &EventEnvelope, push: &mut dyn FnMut(KeyOf<P>));
    /// As [`On::lookups`], of an event.
    fn lookups(&self, at: &EventEnvelope, lookups: &mut Lookups) -> Vec<(usize, Vec<IdValue>)>;
    /// As [`On::lookups`], of all.
    fn all_lookups(lookups: &mut Lookups);
    /// As [`On::apply`].
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn apply(&self, doc: &mut P::Document, at: &EventEnvelope, found: Found<'_>) -> Result<DocumentOutcome, BoxError>;
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

/// What an `on_*` function may return: nothing, a [`DocumentOutcome`], or a `Result` of one of them.
#[diagnostic::on_unimplemented(
    message = "a projection handler returns nothing, a `DocumentOutcome`, or a `Result` of one of them, not `{Self}`",
    label = "not a handler's result"
)]
pub trait IntoOutcome {
    /// As the runtime takes it.
    #[allow(clippy::missing_errors_doc, reason = "the error is the handler's")]
    fn into_outcome(self) -> Result<DocumentOutcome, BoxError>;
}

impl IntoOutcome for DocumentOutcome {
    fn into_outcome(self) -> Result<DocumentOutcome, BoxError> {
        Ok(self)
    }
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Result<DocumentOutcome, BoxError> {
        Ok(DocumentOutcome::Keep)
    }
}

impl<T: IntoOutcome, E: Into<BoxError>> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Result<DocumentOutcome, BoxError> {
        self.map_err(Into::into)?.into_outcome()
    }
}

/// A document projection as the runtime sees it: no types, no I/O.
#[doc(hidden)]
pub trait AnyProjection: Send + Sync {
    /// [`DocumentProjection::NAME`].
    fn name(&self) -> &'static str;
    /// [`DocumentProjection::TYPES`].
    fn types(&self) -> &'static [EventType];
    /// Where its documents live.
    fn collection(&self) -> &'static Collection;
    /// The other collections that its handlers look at.
    fn looks_up(&self) -> Vec<&'static Collection>;
    /// An empty batch.
    fn batch(&self) -> Box<dyn ProjectionBatch>;
}

/// One batch of events on its way into documents: push all, load the documents, fold, write what changed.
#[doc(hidden)]
pub trait ProjectionBatch: Send {
    /// Decodes an event and notes which documents it changes.
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn push(&mut self, event: Arc<EventEnvelope>) -> Result<()>;
    /// The documents that an event changes, without pushing it.
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn keys_of(&self, event: &EventEnvelope) -> Result<Vec<IdValue>>;
    /// The ids to load, as one array parameter.
    fn ids(&self) -> SqlValue;
    /// True when no document is touched.
    fn is_empty(&self) -> bool;
    /// Hands over a stored document.
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn load(&mut self, id: &IdValue, version: i64, json: &[u8]) -> Result<()>;
    /// The ids to look up of other collections, each as one array parameter.
    fn lookups(&self) -> Vec<(&'static Collection, SqlValue)>;
    /// Hands over a document of the collection at `place` among the [`lookups`](Self::lookups).
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn found(&mut self, place: usize, id: &IdValue, json: &[u8]) -> Result<()>;
    /// The position of the event to fold next; `None` when all are folded.
    fn next(&self) -> Option<i64>;
    /// Applies the next event to one of its documents.
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn fold_next(&mut self) -> Result<()>;
    /// The documents after the fold.
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn changes(&self) -> Result<Changes>;
}

/// What a batch writes in one statement, each list in the order of the ids.
#[doc(hidden)]
#[derive(Debug)]
pub struct Changes {
    /// The ids of the documents to store, as one array parameter.
    pub ids: SqlValue,
    /// The version each was loaded at, 0 for a new one.
    pub versions: Vec<i64>,
    /// The documents as JSON text.
    pub docs: Vec<String>,
    /// The ids of the documents to remove, as one array parameter.
    pub removed: SqlValue,
    /// The version each was loaded at.
    pub removed_versions: Vec<i64>,
}

impl Changes {
    /// The documents that were not there, and everything else.
    pub(crate) fn part_new(self, id_type: SqlType) -> (Vec<(IdValue, String)>, Self) {
        let (mut new, mut ids, mut versions, mut docs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for ((id, version), doc) in IdValue::each(self.ids).into_iter().zip(self.versions).zip(self.docs) {
            if version == 0 {
                new.push((id, doc));
            } else {
                ids.push(id);
                versions.push(version);
                docs.push(doc);
            }
        }
        let ids = IdValue::array(id_type, ids.into_iter());
        (new, Self { ids, versions, docs, removed: self.removed, removed_versions: self.removed_versions })
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.docs.is_empty() && self.removed_versions.is_empty()
    }
}
