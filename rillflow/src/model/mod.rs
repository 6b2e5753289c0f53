//! Layer 1, values and traits: what streams, events, documents and queries are.
//!
//! Nothing here does I/O, spawns a task or asks for the time.

mod aggregate;
mod append;
mod document;
mod envelope;
mod event;
mod json;
mod projection;
pub mod query;
mod stream;
mod value;

pub use aggregate::{Aggregate, Apply, Dispatch, EventsOf};
pub use append::{AppendOptions, Appended};
pub use document::{Collection, Document, DocumentId, IdValue, Index};
pub use envelope::EventEnvelope;
pub use event::{Codec, Event, EventPayload, EventSet, EventType, HasEvent, PayloadOfOneEnum};
pub use json::RawJson;
pub use projection::{
    AnyProjection, Changes, DocumentProjection, IntoKeys, IntoOutcome, Lifecycle, On, ProjectionBatch, Registered,
    Route,
};
pub use stream::{Expected, Newtype, StreamId, StreamKey};
pub use value::{SqlType, SqlValue};
