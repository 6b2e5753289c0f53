//! Snapshots: the state of an aggregate as JSON, and how to tell whether it still has this program's shape.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use super::{Aggregate, RawJson};
use crate::{BoxError, Result};

/// A state that can be kept as a snapshot.
///
/// `Form` is always [`Json`]; that rustc has to choose makes it report the whole of what is missing as one error.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the state of `{Self}` cannot be kept as a snapshot",
    label = "needs `Serialize` and `Deserialize`",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]` to `{Self}`, or remove `snapshot_every`"
)]
#[allow(missing_docs, clippy::missing_errors_doc, reason = "hidden")]
pub trait SnapshotState<Form>: Sized {
    fn encode(&self, name: &str) -> Result<RawJson>;
    fn decode(json: &str) -> serde_json::Result<Self>;
}

/// The form that snapshots are kept in.
#[doc(hidden)]
#[derive(Debug)]
pub enum Json {}

impl<T: Serialize + DeserializeOwned> SnapshotState<Json> for T {
    fn encode(&self, name: &str) -> Result<RawJson> {
        RawJson::encode(name, self)
    }

    fn decode(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }
}

/// The other choice: nothing has it.
#[doc(hidden)]
pub trait OtherForm: Serialize + DeserializeOwned {}

impl<T: OtherForm> SnapshotState<()> for T {
    fn encode(&self, name: &str) -> Result<RawJson> {
        RawJson::encode(name, self)
    }

    fn decode(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }
}

/// What a validator answers: `Result<(), E>`, whatever its error.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a validator does not return `{Self}`",
    label = "expected a function that returns `Result<(), E>`, where `E` is an error or text",
    note = "write `fn check(&self) -> Result<(), E>`"
)]
pub trait Verdict {
    /// The same, with an error that carries any other.
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn verdict(self) -> Result<(), BoxError>;
}

impl<E: Into<BoxError>> Verdict for Result<(), E> {
    fn verdict(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

/// How an aggregate is kept as a snapshot, and how often.
#[doc(hidden)]
pub struct Snapshots<A> {
    every: u32,
    encode: fn(&A) -> Result<RawJson>,
    decode: fn(&str) -> serde_json::Result<A>,
}

impl<A> Clone for Snapshots<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Snapshots<A> {}

impl<A> fmt::Debug for Snapshots<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshots").field("every", &self.every).finish_non_exhaustive()
    }
}

impl<A: Aggregate> Snapshots<A> {
    /// One at every crossing of `events` events; 0: none.
    #[must_use]
    pub const fn every<Form>(events: u32) -> Self
    where
        A: SnapshotState<Form>,
    {
        Self { every: events, encode: |state| state.encode(A::NAME), decode: A::decode }
    }

    /// False when they are turned off.
    pub(crate) const fn are_kept(&self) -> bool {
        self.every > 0
    }

    /// True when a snapshot is due after a stream went from one version to another.
    pub(crate) const fn due(&self, before: i64, after: i64) -> bool {
        self.every > 0 && before / (self.every as i64) < after / (self.every as i64)
    }

    pub(crate) fn encode(&self, state: &A) -> Result<RawJson> {
        (self.encode)(state)
    }

    pub(crate) fn decode(&self, json: &str) -> serde_json::Result<A> {
        (self.decode)(json)
    }
}

/// What tells a snapshot of one shape from that of another: FNV-1a over the shape as the derive writes it down, and the
/// version that its author gave it.
#[doc(hidden)]
#[must_use]
pub const fn fingerprint(shape: &str, version: u32) -> i64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    // mixed in by itself: next to the first byte of the shape, the two could make up for each other
    let mut hash = (0xcbf2_9ce4_8422_2325_u64 ^ version as u64).wrapping_mul(PRIME);
    let bytes = shape.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(PRIME);
        at += 1;
    }
    hash.wrapping_mul(PRIME).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn another_shape_and_another_version_have_another_fingerprint() {
        let all = [("a : i64", 1), ("a : i32", 1), ("b : i64", 1), ("a : i64", 2), ("", 1), ("", 2)];
        let distinct: std::collections::HashSet<_> = all.map(|(shape, version)| fingerprint(shape, version)).into();
        assert_eq!(distinct.len(), all.len());
    }
}
