//! Streams: what identifies one, and what a writer believes about it.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identifies one ordered list of events.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(pub Uuid);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Uuid> for StreamId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

/// A newtype, as `#[derive(DocumentValue)]` sees it: what it wraps.
#[doc(hidden)]
pub trait Newtype {
    /// The wrapped type.
    type Inner;
    /// The wrapped value.
    fn inner(&self) -> &Self::Inner;
    /// Wraps a value.
    fn wrap(inner: Self::Inner) -> Self;
}

/// Whatever names a stream: a [`StreamId`], a [`Uuid`], or a newtype of one that derives `DocumentValue`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not identify a stream",
    label = "expected a `Uuid`, a `StreamId`, or a newtype of one",
    note = "derive `DocumentValue` on the newtype: `struct OrderId(Uuid);`"
)]
pub trait StreamKey {
    /// The stream's id.
    fn stream_id(&self) -> StreamId;
}

impl StreamKey for StreamId {
    fn stream_id(&self) -> StreamId {
        *self
    }
}

impl StreamKey for Uuid {
    fn stream_id(&self) -> StreamId {
        StreamId(*self)
    }
}

impl<T: Newtype> StreamKey for T
where
    T::Inner: StreamKey,
{
    fn stream_id(&self) -> StreamId {
        self.inner().stream_id()
    }
}

/// What a writer believes about the stream it appends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Expected {
    /// Nothing: append wherever the stream is. Never fails under concurrency.
    #[default]
    Any,
    /// The stream does not exist yet.
    NoStream,
    /// The stream exists, at whatever version.
    StreamExists,
    /// The stream is at exactly this version: the number of its events.
    Exact(i64),
}

impl Expected {
    /// True when a stream at `version` is as expected.
    pub(crate) const fn admits(self, version: i64) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => version == 0,
            Self::StreamExists => version > 0,
            Self::Exact(expected) => version == expected,
        }
    }

    /// True when a stream that moved on may no longer be as expected.
    pub(crate) const fn minds_the_version(self) -> bool {
        matches!(self, Self::NoStream | Self::Exact(_))
    }

    /// As the append statement takes it: a version, or a negative code.
    pub(crate) const fn as_parameter(self) -> i64 {
        match self {
            Self::Any => -1,
            Self::StreamExists => -2,
            Self::NoStream => 0,
            Self::Exact(version) => version,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::NoStream => f.write_str("no stream"),
            Self::StreamExists => f.write_str("an existing stream"),
            Self::Exact(version) => write!(f, "version {version}"),
        }
    }
}

/// What is known of a stream without reading its events.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamState {
    /// The stream.
    pub stream_id: StreamId,
    /// The number of its events; a deleted one keeps what it had.
    pub version: i64,
    /// Its kind, such as `order`; empty for a stream that no aggregate began.
    pub category: String,
    /// When its first event was recorded.
    pub created_at: DateTime<Utc>,
    /// Since when it refuses appends.
    pub archived_at: Option<DateTime<Utc>>,
    /// Since when its events are gone.
    pub deleted_at: Option<DateTime<Utc>>,
}
