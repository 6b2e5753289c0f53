//! Events: a closed set of payloads with stored names and versions, or an open one by name.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{RawJson, StreamId};
use crate::{Error, Result};

/// The stored name and version of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventType {
    /// The stored name, such as `order-placed`.
    pub name: &'static str,
    /// The version of its payload, from 1.
    pub version: i32,
}

/// What the derive writes its decoding with.
#[doc(hidden)]
#[allow(missing_docs, clippy::missing_errors_doc, reason = "hidden")]
impl EventType {
    /// Reads a payload of an older version, in the form that `upcast` takes, and turns it into the next version's.
    pub fn read_older<T: DeserializeOwned, U>(self, upcast: fn(T) -> U, version: i32, json: &[u8]) -> Result<U> {
        self.read(version, serde_json::from_slice(json)).map(upcast)
    }

    /// Turns one version's payload into the next one's.
    pub fn step<T, U, V: UpcastsTo<T>>(upcast: fn(T) -> U, payload: V) -> U {
        upcast(payload.same())
    }

    /// Checks that the last step led to the current payload.
    pub fn current<T, V: UpcastsTo<T>>(payload: V) -> T {
        payload.same()
    }

    /// Names the event in the error.
    pub fn read<T>(self, version: i32, read: Result<T, serde_json::Error>) -> Result<T> {
        read.map_err(|source| Error::Decode { what: format!("event `{}` version {version}", self.name), source })
    }

    /// No upcaster begins at `version`.
    #[must_use]
    pub fn unknown_version(self, version: i32) -> Error {
        Error::UnknownEvent { stream_id: StreamId(Uuid::nil()), name: self.name.to_owned(), version }
    }
}

/// What an upcast returns is what the next version is read as.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this upcast returns `{Self}`, but the next version's payload is `{T}`",
    label = "expected a function that returns `{T}`",
    note = "each `upcast(k => function)` turns version k into version k + 1; the last one returns the current payload"
)]
pub trait UpcastsTo<T> {
    /// The same value.
    fn same(self) -> T;
}

impl<T> UpcastsTo<T> for T {
    fn same(self) -> T {
        self
    }
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

impl<T: PayloadOfOneEnum + Serialize + DeserializeOwned + Send + Sync> EventPayload for T {
    const TYPE: EventType = <T as PayloadOfOneEnum>::TYPE;

    fn decode(version: i32, json: &[u8]) -> Result<Self> {
        <T as PayloadOfOneEnum>::decode(version, json)
    }
}

/// What the derive knows of a payload. It asks for nothing, so that a payload which cannot be stored is one error,
/// raised where its [`Codec`] is made.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "no event enum lists `{Self}`",
    note = "add a variant `{Self}({Self})` to an enum that derives `Event`"
)]
pub trait PayloadOfOneEnum: Sized + 'static {
    /// As [`EventPayload::TYPE`].
    const TYPE: EventType;
    /// How it is written and read.
    const CODEC: Codec<Self>;
    /// As [`EventPayload::decode`].
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn decode(version: i32, json: &[u8]) -> Result<Self>;
}

/// How a payload is written and read.
#[doc(hidden)]
#[derive(Debug)]
pub struct Codec<T> {
    /// As JSON text.
    pub write: fn(&T) -> Result<String, serde_json::Error>,
    /// From JSON text.
    pub read: fn(&[u8]) -> Result<T, serde_json::Error>,
}

impl<T> Codec<T> {
    /// The codec of a type that can be stored.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "the form is inferred")]
    pub const fn new<Form>() -> Self
    where
        T: Stored<Form>,
    {
        Self { write: T::write, read: T::read }
    }
}

/// A type that can be stored.
///
/// `Form` is always [`Json`]; that rustc has to choose makes it report the whole of what is missing as one error.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored as an event",
    label = "needs `Serialize`, `Deserialize`, `Send` and `Sync`, and no borrowed data",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]` to `{Self}`"
)]
#[allow(missing_docs, clippy::missing_errors_doc, reason = "hidden")]
pub trait Stored<Form>: Sized {
    fn write(&self) -> Result<String, serde_json::Error>;
    fn read(json: &[u8]) -> Result<Self, serde_json::Error>;
}

/// The form that events are stored in.
#[doc(hidden)]
#[derive(Debug)]
pub enum Json {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Stored<Json> for T {
    fn write(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

/// The other choice: nothing has it.
#[doc(hidden)]
pub trait OtherForm: Serialize + DeserializeOwned {}

impl<T: OtherForm> Stored<()> for T {
    fn write(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

/// A closed set of events: an enum that derives `Event`, one payload struct per variant.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of events",
    label = "expected an enum that derives `Event`"
)]
pub trait EventSet: Sized + Send + Sync + 'static {
    /// Every event of the set.
    const TYPES: &'static [EventType];

    /// Which of them this is.
    fn event_type(&self) -> EventType;

    /// The payload as JSON text.
    ///
    /// # Errors
    ///
    /// Whatever the payload's own `Serialize` reports.
    fn encode(&self) -> Result<String, serde_json::Error>;

    /// Reads a stored event; `Ok(None)` when the set has no event of this name.
    ///
    /// # Errors
    ///
    /// As [`EventPayload::decode`].
    fn decode(name: &str, version: i32, json: &[u8]) -> Result<Option<Self>>;
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
}

impl Event {
    /// An event of version 1 by name. A payload that does not serialise is reported by the append.
    pub fn new(name: impl Into<Cow<'static, str>>, body: &(impl Serialize + ?Sized)) -> Self {
        let name = name.into();
        let body = RawJson::encode(&name, body);
        Self { id: Uuid::now_v7(), name, version: 1, body, headers: None, causation_id: None, correlation_id: None }
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
        }
    }
}

/// What an append reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// The stream.
    pub stream_id: StreamId,
    /// The version the stream reached: the number of its events.
    pub version: i64,
    /// The place of each event among all events of the store, in the order given.
    pub positions: Vec<i64>,
    /// When the server recorded them.
    pub created_at: DateTime<Utc>,
}

impl Appended {
    /// The position of the last event: what a reader waits for to see this append.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.positions.last().copied().unwrap_or(0)
    }
}
