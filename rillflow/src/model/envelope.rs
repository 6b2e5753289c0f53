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
    /// [`Error::Decode`] when the payload does not fit.
    pub fn decode<E: EventSet>(&self) -> Result<E> {
        let unknown = || Error::UnknownEvent {
            stream_id: self.stream_id,
            name: self.typ.to_string(),
            version: self.type_version,
        };
        match E::decode(&self.typ, self.type_version, self.body.as_str().as_bytes()) {
            Ok(event) => event.ok_or_else(unknown),
            Err(Error::UnknownEvent { .. }) => Err(unknown()),
            Err(other) => Err(other),
        }
    }
}
