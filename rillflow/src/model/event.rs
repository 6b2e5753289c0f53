//! Events: a closed set of payloads with stored names and versions, or an open one by name.

use std::borrow::Cow;

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{RawJson, Shape, Tag, TagValue};
use crate::{Error, Result};

mod payload;

pub use payload::{Codec, PayloadOfOneEnum, count_types, join_types};

/// The stored name and version of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventType {
    /// The stored name, such as `order-placed`.
    pub name: &'static str,
    /// The version of its payload, from 1.
    pub version: i32,
}

/// One payload struct. `#[derive(Event)]` on the enum that lists it implements this.
pub trait EventPayload: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its stored name and current version.
    const TYPE: EventType;

    /// Reads a stored payload of any known version, straight from its bytes, through the upcasters.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] when the bytes do not fit, [`Error::UnknownEvent`] for a version without an upcaster.
    fn decode(version: i32, json: &[u8]) -> Result<Self>;
}

/// A closed set of events: an enum that derives `Event`, one payload struct per variant.
///
/// The enum is the one place for stored names, versions and upcasts. A name that is not given is the variant's in
/// kebab-case; a version is 1. At version `n`, each version before it needs an `upcast(k => function)`: the function
/// takes the payload as it was at version `k` and returns the next version's, the last one returns the current
/// payload. Decoding goes from the stored bytes into the payload of the stored version and up the chain. A step that is
/// easier said on JSON is `upcast(k => json function)`, from `serde_json::Value` to `serde_json::Value`; both kinds mix.
///
/// An event that gets another name says what it `was`, once per old name. What is stored under an old name is read as
/// this event, by aggregates, projections and subscriptions alike. The name does not count for the version: version 1
/// under an old name is version 1 of this event, and a rename alone raises nothing.
///
/// An event that turns out to be two is split, on the enum: `#[event(split("registered" => function -> (Opened,
/// Verified)))]`. It is gone, nothing is written under its name any more, and what is stored under it is read as `Opened`
/// and then `Verified`, at one place in the stream. The function takes the payload as it was stored.
///
/// ```
/// use rillflow::{Event, EventSet};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize)]
/// pub struct Placed {
///     pub total: i64,
///     pub currency: String,
/// }
///
/// #[derive(Debug, Serialize, Deserialize)]
/// pub struct Shipped {
///     pub tracking: String,
/// }
///
/// /// `Placed` as it was before there were currencies.
/// #[derive(Deserialize)]
/// struct PlacedV1 {
///     total: i64,
/// }
///
/// fn placed_v1(old: PlacedV1) -> Placed {
///     Placed { total: old.total, currency: "EUR".to_owned() }
/// }
///
/// #[derive(Debug, Event)]
/// pub enum OrderEvent {
///     #[event(name = "order-placed", version = 2, upcast(1 => placed_v1))]
///     Placed(Placed),
///     #[event(was = "sent", was = "handed-over")]
///     Shipped(Shipped),
/// }
///
/// let old = OrderEvent::decode("order-placed", 1, br#"{"total":7}"#)?;
/// assert!(matches!(old, Some(OrderEvent::Placed(placed)) if placed.currency == "EUR"));
/// let renamed = OrderEvent::decode("sent", 1, br#"{"tracking":"1Z"}"#)?;
/// assert!(matches!(renamed, Some(OrderEvent::Shipped(shipped)) if shipped.tracking == "1Z"));
/// # Ok::<(), rillflow::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of events",
    label = "expected an enum that derives `Event`"
)]
pub trait EventSet: Sized + Send + Sync + 'static {
    /// Every event of the set by each of its stored names, old ones included: what a reader asks the database for.
    const TYPES: &'static [EventType];

    /// Which of them this is.
    fn event_type(&self) -> EventType;

    /// The payload as JSON text.
    ///
    /// # Errors
    ///
    /// Whatever the payload's own `Serialize` reports.
    fn encode(&self) -> Result<String, serde_json::Error>;

    /// What its payload is about beside its stream: see [`EventTags`](crate::EventTags).
    #[must_use]
    fn tags(&self) -> Vec<Tag> {
        Vec::new()
    }

    /// Reads a stored event; `Ok(None)` when the set has no event of this name.
    ///
    /// # Errors
    ///
    /// As [`EventPayload::decode`]; [`Error::SplitEvent`] for one that is read as several.
    fn decode(name: &str, version: i32, json: &[u8]) -> Result<Option<Self>>;

    /// Hands over what a stored event is read as: one event, or several when it was split; `Ok(false)` when the set has no
    /// event of this name.
    ///
    /// # Errors
    ///
    /// As [`EventPayload::decode`].
    fn decode_each(name: &str, version: i32, json: &[u8], each: &mut dyn FnMut(Self)) -> Result<bool> {
        Ok(Self::decode(name, version, json)?.map(each).is_some())
    }

    /// The stored form of each event.
    #[doc(hidden)]
    #[must_use]
    fn shapes() -> Vec<EventShape> {
        Vec::new()
    }
}

/// The stored form of one event.
#[doc(hidden)]
#[derive(Debug)]
pub struct EventShape {
    /// Its stored names: the current one, then those it had before.
    pub types: &'static [EventType],
    /// The payload's Rust type.
    pub payload: &'static str,
    /// Its form.
    pub shape: Shape,
}

impl EventShape {
    /// The form of a payload.
    #[must_use]
    pub fn of<P: PayloadOfOneEnum>() -> Self {
        Self { types: P::TYPES, payload: std::any::type_name::<P>(), shape: (P::CODEC.shape)() }
    }
}

/// Says that `E` is the payload of one of the set's variants.
#[diagnostic::on_unimplemented(
    message = "`{E}` is not an event of `{Self}`",
    label = "this handler can never run",
    note = "add the variant `{E}({E})` to `{Self}`, or remove the handler"
)]
pub trait HasEvent<E>: EventSet {
    /// Its stored name and current version.
    const TYPE: EventType;
    /// The same by each of its stored names: the current one, then those it had before.
    const TYPES: &'static [EventType] = &[Self::TYPE];
}

/// An event to append.
///
/// Typed events convert into it; [`Event::new`] makes one by name.
///
/// ```
/// let event = rillflow::Event::new("Inc", &serde_json::json!({ "by": 2 })).with_id(uuid::Uuid::now_v7());
/// ```
#[derive(Debug)]
pub struct Event {
    pub(crate) id: Uuid,
    pub(crate) name: Cow<'static, str>,
    pub(crate) version: i32,
    /// An unserialisable payload is reported by the append, where there is somebody to tell.
    pub(crate) body: Result<RawJson>,
    pub(crate) headers: Option<Result<RawJson>>,
    pub(crate) causation_id: Option<Uuid>,
    pub(crate) correlation_id: Option<Uuid>,
    pub(crate) tags: Vec<Tag>,
}

impl Event {
    /// An event of version 1 by name. A payload that does not serialise is reported by the append.
    pub fn new(name: impl Into<Cow<'static, str>>, body: &(impl Serialize + ?Sized)) -> Self {
        let name = name.into();
        let body = RawJson::encode(&name, body);
        Self {
            id: Uuid::now_v7(),
            name,
            version: 1,
            body,
            headers: None,
            causation_id: None,
            correlation_id: None,
            tags: Vec::new(),
        }
    }

    /// Sets the id by which a retry recognises this event. By default it is a fresh one.
    #[must_use]
    pub fn with_id(mut self, id: Uuid) -> Self {
        self.id = id;
        self
    }

    /// Sets headers: any JSON object the application wants beside the payload.
    #[must_use]
    pub fn with_headers(mut self, headers: &(impl Serialize + ?Sized)) -> Self {
        self.headers = Some(RawJson::encode("headers", headers));
        self
    }

    /// Adds a tag: what this event is about beside its stream. See [`TagQuery`](crate::TagQuery).
    #[must_use]
    pub fn with_tag(mut self, name: impl Into<Cow<'static, str>>, value: &(impl TagValue + ?Sized)) -> Self {
        self.tags.push(Tag::new(name, value));
        self
    }

    /// Sets the id of what caused this event.
    #[must_use]
    pub fn with_causation_id(mut self, id: Uuid) -> Self {
        self.causation_id = Some(id);
        self
    }

    /// Sets the id shared by everything that belongs to one request or process.
    #[must_use]
    pub fn with_correlation_id(mut self, id: Uuid) -> Self {
        self.correlation_id = Some(id);
        self
    }
}

impl<E: EventSet> From<E> for Event {
    fn from(event: E) -> Self {
        Self::of(&event)
    }
}

impl Event {
    /// A typed event that its owner still needs.
    pub(crate) fn of(event: &impl EventSet) -> Self {
        let EventType { name, version } = event.event_type();
        let body = event
            .encode()
            .map(RawJson::from_text)
            .map_err(|e| Error::Encode { what: name.to_owned(), reason: e.to_string() });
        Self {
            id: Uuid::now_v7(),
            name: name.into(),
            version,
            body,
            headers: None,
            causation_id: None,
            correlation_id: None,
            tags: event.tags(),
        }
    }
}
