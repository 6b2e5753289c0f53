//! What a value can do in a query, as traits that the derives implement.

use super::path::DocumentValue;

/// A value with an order: numbers, text, times and ids.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no order in a query: `<`, `>`, `asc()` and `desc()` need a number, text, time or id",
    label = "`{Self}` cannot be ordered"
)]
#[doc(hidden)]
pub trait Orderable {}

/// Text, or a newtype of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not text: `starts_with`, `contains_text`, `like` and their kind need a `String` field",
    label = "`{Self}` is not text"
)]
#[doc(hidden)]
pub trait Text {}

/// A value that may be null.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is never null: only `Option<_>` fields have `is_null()` and `is_some()`",
    label = "not an `Option`"
)]
#[doc(hidden)]
pub trait Nullable {}

/// A list.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list: `contains`, `any`, `len` and `is_empty` need a `Vec<_>` field",
    label = "not a `Vec<_>`"
)]
#[doc(hidden)]
pub trait List {
    /// The type of its elements.
    type Item: DocumentValue;
}

/// A map from text.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a map: `get`, `has_key` and `has_entry` need a `HashMap<String, _>` or `BTreeMap<String, _>` field of document values",
    label = "not a map"
)]
#[doc(hidden)]
pub trait Map: 'static {
    /// The type of its values.
    type Item: DocumentValue;
}

/// A field that is a condition by itself.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` field is not a condition: compare it with a value",
    label = "expected a `bool` field, found `{Self}`"
)]
#[doc(hidden)]
pub trait Flag {}
