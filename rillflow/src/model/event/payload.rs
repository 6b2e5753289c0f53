//! How payloads are written and read: what `#[derive(Event)]` writes its code with.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use super::{EventPayload, EventType};
use crate::model::{Shape, StreamId};
use crate::{Error, Result};

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

    /// As [`read_older`](Self::read_older), for a step from JSON to JSON.
    pub fn read_older_json(self, upcast: fn(Value) -> Value, version: i32, json: &[u8]) -> Result<Value> {
        self.read(version, serde_json::from_slice(json)).map(upcast)
    }

    /// From JSON to JSON.
    pub fn step_json(upcast: fn(Value) -> Value, payload: Value) -> Value {
        upcast(payload)
    }

    /// Reads what a step from JSON to JSON returned in the form that the next step takes.
    pub fn step_from_json<T: DeserializeOwned, U>(self, upcast: fn(T) -> U, version: i32, payload: Value) -> Result<U> {
        self.from_json(version, payload).map(upcast)
    }

    /// Writes what a typed step returned for the next one, which takes JSON.
    pub fn step_to_json<V: Serialize>(self, upcast: fn(Value) -> Value, version: i32, payload: V) -> Result<Value> {
        let what = || format!("event `{}` version {version}", self.name);
        let payload =
            serde_json::to_value(payload).map_err(|e| Error::Encode { what: what(), reason: e.to_string() })?;
        Ok(upcast(payload))
    }

    /// Reads what a step from JSON to JSON returned as a payload.
    #[allow(clippy::wrong_self_convention, reason = "the event names itself in the error")]
    pub fn from_json<T: DeserializeOwned>(self, version: i32, payload: Value) -> Result<T> {
        serde_json::from_value(payload).map_err(|source| Error::Decode {
            what: format!("event `{}` version {version} after its upcast", self.name),
            source,
        })
    }

    /// Names the event in the error.
    pub fn read<T>(self, version: i32, read: Result<T, serde_json::Error>) -> Result<T> {
        read.map_err(|source| Error::Decode { what: format!("event `{}` version {version}", self.name), source })
    }

    /// What is stored under this name is several events.
    #[must_use]
    pub fn is_split(self) -> Error {
        Error::SplitEvent { name: self.name.to_owned(), version: self.version }
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
    /// As [`HasEvent::TYPES`](super::HasEvent::TYPES).
    const TYPES: &'static [EventType] = &[Self::TYPE];
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
    /// The form of that text.
    pub shape: fn() -> Shape,
}

impl<T> Codec<T> {
    /// The codec of a type that can be stored.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "the form is inferred")]
    pub const fn new<Form>() -> Self
    where
        T: Stored<Form>,
    {
        Self { write: T::write, read: T::read, shape: T::shape }
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
    fn shape() -> Shape;
}

/// Only tests ask for shapes: other programs do not carry the code that finds them.
#[cfg(feature = "testing")]
fn shape<T: Serialize + DeserializeOwned>() -> Shape {
    Shape::of::<T>()
}

#[cfg(not(feature = "testing"))]
#[expect(clippy::extra_unused_type_parameters, reason = "the same call as with the feature")]
fn shape<T>() -> Shape {
    Shape::default()
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

    fn shape() -> Shape {
        shape::<T>()
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

    fn shape() -> Shape {
        shape::<T>()
    }
}

/// How many types `lists` hold together.
#[doc(hidden)]
#[must_use]
pub const fn count_types(lists: &[&[EventType]]) -> usize {
    let (mut count, mut list) = (0, 0);
    while list < lists.len() {
        count += lists[list].len();
        list += 1;
    }
    count
}

/// The types of all `lists`, which hold `N` together.
#[doc(hidden)]
#[must_use]
pub const fn join_types<const N: usize>(lists: &[&[EventType]]) -> [EventType; N] {
    let mut joined = [EventType { name: "", version: 0 }; N];
    let (mut at, mut list) = (0, 0);
    while list < lists.len() {
        let mut one = 0;
        while one < lists[list].len() {
            joined[at] = lists[list][one];
            (at, one) = (at + 1, one + 1);
        }
        list += 1;
    }
    joined
}

/// One const list out of several.
#[doc(hidden)]
#[macro_export]
macro_rules! __event_types {
    ($($list:tt)*) => {{
        const LISTS: &[&[$crate::EventType]] = &[$($list)*];
        const ALL: [$crate::EventType; $crate::__private::count_types(LISTS)] =
            $crate::__private::join_types(LISTS);
        &ALL
    }};
}
