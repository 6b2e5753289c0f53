//! An event as recorded.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{EventSet, RawJson, StreamId};
use crate::{Error, Result};

/// An event as recorded, with everything the store knows about it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EventEnvelope {
    /// Its place among all events of the store: grows, has gaps.
    pub global_seq: i64,
    /// The stream it belongs to.
    pub stream_id: StreamId,
    /// Its place in the stream, from 1, without gaps.
    pub stream_seq: i64,
    /// Its own id.
    pub event_id: Uuid,
    /// The stored name.
    pub typ: Box<str>,
    /// The version of the payload.
    pub type_version: i32,
    /// The payload as it was written.
    pub body: RawJson,
    /// What the application stored beside it.
    pub headers: Option<RawJson>,
    /// What caused it.
    pub causation_id: Option<Uuid>,
    /// What it belongs to.
    pub correlation_id: Option<Uuid>,
    /// When the server recorded it.
    pub created_at: DateTime<Utc>,
}

impl EventEnvelope {
    /// Reads the payload as one of a closed set.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownEvent`] when the set has no such event or no upcaster from its version,
    /// [`Error::Decode`] when the payload does not fit, [`Error::SplitEvent`] when it is read as several events.
    pub fn decode<E: EventSet>(&self) -> Result<E> {
        match E::decode(&self.typ, self.type_version, self.body.as_str().as_bytes()) {
            Ok(event) => event.ok_or_else(|| self.unknown()),
            Err(Error::UnknownEvent { .. }) => Err(self.unknown()),
            Err(other) => Err(other),
        }
    }

    /// Reads the payload as what it is in a closed set: one event, or several when it was split.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn decode_each<E: EventSet>(&self) -> Result<Vec<E>> {
        let mut events = Vec::with_capacity(1);
        let body = self.body.as_str().as_bytes();
        match E::decode_each(&self.typ, self.type_version, body, &mut |event| events.push(event)) {
            Ok(true) => Ok(events),
            Ok(false) | Err(Error::UnknownEvent { .. }) => Err(self.unknown()),
            Err(other) => Err(other),
        }
    }

    fn unknown(&self) -> Error {
        Error::UnknownEvent { stream_id: self.stream_id, name: self.typ.to_string(), version: self.type_version }
    }
}
