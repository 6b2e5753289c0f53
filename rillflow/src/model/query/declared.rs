//! What declarations of a document may name, checked while they compile.

use super::path::{Column, DocumentValue, Path, ScalarOf, Tag};
use super::text::Message;
use super::tree::PathInfo;
use crate::model::SqlType;

/// Checks that the fields of `T` can lie beside those of the struct around it. A type that is no document value is
/// reported where the paths are written, and [`FlattenAnything`] keeps this check from saying it again.
#[doc(hidden)]
pub struct Flatten<T>(Tag<T>);

impl<T: DocumentValue> Flatten<T> {
    /// True when they can.
    pub const CHECK: bool = T::HAS_FIELDS;
}

/// See [`Flatten`].
#[doc(hidden)]
pub trait FlattenAnything {
    /// Says nothing.
    const CHECK: bool = true;
}

impl<T> FlattenAnything for Flatten<T> {}

/// Fails to compile for a type whose keys are not known.
#[doc(hidden)]
#[track_caller]
pub const fn flattened(keys_are_known: bool) -> bool {
    assert!(
        keys_are_known,
        "a flattened field has no key of its own, and the keys of this type are not known, so queries cannot reach \
         them.\n  help: derive `DocumentFields` for its type, or take it out of queries with `#[document(skip)]`"
    );
    true
}

/// A path that names one value, as the keys of an index and the fields of a result must.
#[diagnostic::on_unimplemented(
    message = "an index key is one value, but this field holds several",
    label = "name one of its fields, such as `address.city`"
)]
#[doc(hidden)]
pub trait SingleValue {
    /// What it is compared with.
    type Scalar;
    /// The path.
    const INFO: &'static PathInfo;
}

impl<P: Path> SingleValue for Column<P> {
    type Scalar = ScalarOf<P>;
    const INFO: &'static PathInfo = P::INFO;
}

/// The path of a field that is a key of an index, or has a column.
#[doc(hidden)]
#[must_use]
pub const fn place_of<C: SingleValue>(_: &C) -> &'static PathInfo {
    C::INFO
}

/// Fails to compile for the key of an index, or a column, that is not one scalar. Apart from what is made of the path, which
/// rustc would report too.
#[doc(hidden)]
#[track_caller]
pub const fn check_key(document: &str, path: &PathInfo) {
    if let SqlType::Json = path.sql_type {
        let message = Message::new()
            .text("`")
            .path(path)
            .text("` of `")
            .text(document)
            .text("` is not one value, so it cannot be the key of an index.\n  help: for lists, put `#[document(gin)]` on the struct");
        panic!("{}", message.as_str());
    }
}

/// As [`check_key`], for an index over text.
#[doc(hidden)]
#[track_caller]
pub const fn check_text_key(document: &str, path: &PathInfo) {
    check_key(document, path);
    if !matches!(path.sql_type, SqlType::Text) {
        let message = Message::new()
            .text("`")
            .path(path)
            .text("` of `")
            .text(document)
            .text("` is not text, so it has no text index.\n  help: declare `index(")
            .path(path)
            .text(")`");
        panic!("{}", message.as_str());
    }
}

/// The SQL type of a newtype of `T`; fails to compile when `T` is not one scalar.
#[doc(hidden)]
#[track_caller]
pub const fn newtype_of<T: DocumentValue>(newtype: &str) -> SqlType {
    if T::NULLABLE || matches!(T::SQL_TYPE, SqlType::Json) {
        let message = Message::new()
            .text("`")
            .text(newtype)
            .text("` does not wrap a single value, so queries cannot compare it.\n  help: mark the field that holds it `#[document(opaque)]` instead of deriving `DocumentValue`");
        panic!("{}", message.as_str());
    }
    T::SQL_TYPE
}
