//! Whether a path always leads to a value: what decides between `T` and `Option<T>` in a row.

use super::path::{DocumentValue, Parent, Path, ScalarOf, Tag};
use super::trail::{ColumnOf, Trail};
use super::tree::PathInfo;

/// Whether there is always a value.
#[doc(hidden)]
pub trait Presence: 'static {
    /// A `T` that is there so.
    type Of<T: DocumentValue>: DocumentValue;
    /// Behind this, something that is itself there so.
    type Then<N: Presence>: Presence;
}

/// There is always a value.
#[derive(Debug)]
pub struct Always;

/// The value may be missing or null.
#[derive(Debug)]
pub struct Sometimes;

impl Presence for Always {
    type Of<T: DocumentValue> = T;
    type Then<N: Presence> = N;
}

impl Presence for Sometimes {
    type Of<T: DocumentValue> = Option<T>;
    type Then<N: Presence> = Self;
}

/// The path to an `Option`: what is behind it may be missing.
pub struct Maybe<P>(Tag<P>);

impl<P: Parent> Parent for Maybe<P> {
    type Root = P::Root;
    type Presence = Sometimes;
    const INFO: &'static PathInfo = P::INFO;
    const COLUMNS: &'static [ColumnOf] = P::COLUMNS;
    const TRAIL: Option<&'static Trail> = P::TRAIL;
}

impl<P: Path> Path for Maybe<P> {
    type Value = P::Value;
    const FLAT: bool = P::FLAT;
}

/// What the value at `P` is in a row of a result.
pub(super) type InRow<P> = <<P as Parent>::Presence as Presence>::Of<ScalarOf<P>>;
