//! Paths: a value of no size per field, whose type says where the field is and what it holds.

use std::fmt;
use std::marker::PhantomData;

use super::presence::{Always, Presence};
use super::text::{Message, str_eq};
use super::tree::{Operand, PathInfo, Place};
use crate::model::{Document, SqlType};

/// A type without values of it: what a path is made of.
pub(super) type Tag<T> = PhantomData<fn() -> T>;

/// A Rust type that a field of a document may have.
///
/// Derive it with `DocumentValue` for an enum of unit variants or a newtype, and with `DocumentFields` for a nested
/// struct. `u64` and `usize` are compared as `numeric`, since `bigint` does not hold all of them; `i128` and `u128` are no
/// document values, since JSON does not give them back exactly.
///
/// # Example
///
/// ```
/// use rillflow::{Document, DocumentFields, DocumentValue, Query};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize, DocumentValue)]
/// struct BookId(i64);
///
/// #[derive(Serialize, Deserialize, DocumentValue)]
/// #[serde(rename_all = "kebab-case")]
/// enum Shelf {
///     InFront,
///     AtTheBack,
/// }
///
/// #[derive(Serialize, Deserialize, DocumentFields)]
/// struct Cover {
///     color: String,
/// }
///
/// #[derive(Serialize, Deserialize, Document)]
/// struct Book {
///     #[document(id)]
///     id: BookId,
///     shelf: Shelf,
///     cover: Option<Cover>,
/// }
///
/// let red = Book::query().filter(|b| b.shelf.eq(Shelf::AtTheBack) & b.cover.color.eq("red")).count();
/// assert_eq!(
///     red.sql(),
///     "SELECT count(*) FROM public.docs_books WHERE (doc->>'shelf') = $1::text \
///      AND (doc->'cover'->>'color') = $2::text AND deleted_at IS NULL",
/// );
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a document",
    label = "not a document value",
    note = "derive `DocumentFields` (nested struct) or `DocumentValue` (enum or newtype) for it, or mark the field `#[document(opaque)]`",
    note = "JSON does not give `i128` and `u128` back exactly: use `i64`, `u64` or a `String`"
)]
pub trait DocumentValue: 'static {
    /// What the field is compared with: itself, except that `Option<T>` is compared with `T`.
    type Scalar: DocumentValue;
    /// What its scalar is cast to; `jsonb` for what has no scalar.
    const SQL_TYPE: SqlType;
    /// True when it may be null.
    const NULLABLE: bool = false;
    /// What the elements are cast to, when it is a list.
    #[doc(hidden)]
    const ITEM_SQL_TYPE: SqlType = SqlType::Json;
    /// True when it is an object whose keys are known, and can be flattened.
    #[doc(hidden)]
    const HAS_FIELDS: bool = false;
    /// What a closure in a query sees of the field.
    type Paths<P: Path>: PathSet;
}

/// The paths of a document's fields; the derives write it.
#[doc(hidden)]
pub trait PathSet: 'static {
    /// The one value.
    const NEW: Self;
}

/// What can stand before a field: a document, an element of a list, or another field.
#[doc(hidden)]
pub trait Parent: 'static {
    /// Where the path begins.
    type Root: 'static;
    /// Whether what it names is always there.
    type Presence: Presence;
    /// The path as the const tree keeps it.
    const INFO: &'static PathInfo;
    /// The columns of its document.
    const COLUMNS: &'static [ColumnOf] = &[];
    /// The path as its user writes it.
    const TRAIL: Option<&'static Trail> = None;
}

/// A field whose value is in a column too, as `#[document(column)]` declares it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct ColumnOf {
    /// The column's name.
    pub name: &'static str,
    /// The names of the fields that lead to it.
    pub fields: &'static [&'static str],
}

/// The names of the fields that a path was written with, the last one first.
#[doc(hidden)]
#[derive(Debug)]
pub struct Trail {
    /// What is before the field, none for the document.
    pub before: Option<&'static Trail>,
    /// The field.
    pub field: &'static str,
}

/// The name of the column at the end of a trail.
const fn column_at(trail: &Trail, columns: &[ColumnOf]) -> Option<&'static str> {
    let mut i = 0;
    while i < columns.len() {
        if leads_to(trail, columns[i].fields) {
            return Some(columns[i].name);
        }
        i += 1;
    }
    None
}

const fn leads_to(trail: &Trail, fields: &[&str]) -> bool {
    match (fields, trail.before) {
        ([field], None) => str_eq(field, trail.field),
        ([before @ .., field], Some(trail_before)) => str_eq(field, trail.field) && leads_to(trail_before, before),
        _ => false,
    }
}

/// A path to a value.
#[doc(hidden)]
pub trait Path: Parent {
    /// The value's type.
    type Value: DocumentValue;
    /// True when it has no key of its own.
    const FLAT: bool = false;
}

/// One field of a struct; the derives write a type per field.
#[doc(hidden)]
pub trait Field: 'static {
    /// Its type: a [`DocumentValue`]. Not a bound of this trait, so that a type which is none is reported once, where
    /// the paths are written.
    type Value;
    /// [`Sometimes`](super::Sometimes) when serde may leave the key out.
    type Presence: Presence;
    /// Its JSON key.
    const KEY: &'static str;
    /// Its JSON key as an SQL literal.
    const QUOTED_KEY: &'static str;
    /// Its JSON key, when it is a value of the query.
    const COMPUTED_KEY: Option<Operand> = None;
    /// Its Rust name.
    const NAME: &'static str;
    /// True when serde may leave the key out.
    const OPTIONAL: bool = false;
    /// What it is.
    const PLACE: Place = Place::Key;
    /// True when it has no key of its own: what it holds lies beside the other fields.
    const FLAT: bool = false;
    /// True when it is there in one variant of an enum only.
    const CONDITIONAL: bool = false;
    /// The key of that enum's tag and the variant's name, both as SQL literals, when serde writes a tag. Other variants
    /// may hold something else under the same keys.
    const TAG: Option<(&'static str, &'static str)> = None;
}

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

/// What a value is compared with at the path `P`.
#[doc(hidden)]
pub type ScalarOf<P> = <<P as Path>::Value as DocumentValue>::Scalar;

/// What a closure sees of the field `F` behind `P`.
#[doc(hidden)]
pub type PathsAt<P, F> = <<F as Field>::Value as DocumentValue>::Paths<At<P, F>>;

/// The path to a document.
pub struct Root<D>(Tag<D>);

/// A document, whichever.
pub(super) const ROOT: &PathInfo = &PathInfo {
    parent: None,
    key: "",
    quoted_key: "",
    computed_key: None,
    field: "",
    sql_type: SqlType::Json,
    nullable: false,
    left_out: false,
    conditional: false,
    place: Place::Root,
};

impl<D: Document> Parent for Root<D> {
    type Root = D;
    type Presence = Always;
    const INFO: &'static PathInfo = ROOT;
    const COLUMNS: &'static [ColumnOf] = D::COLUMNS;
}

/// The path to the field `F` behind `P`.
pub struct At<P, F>(Tag<(P, F)>);

impl<P: Parent, F: Field> At<P, F>
where
    F::Value: DocumentValue,
{
    /// What the field lies in: what is before it, or that in the one variant which has the field.
    const BEFORE: &'static PathInfo = match F::TAG {
        None => P::INFO,
        Some((tag, quoted_key)) => &PathInfo {
            parent: Some(P::INFO),
            key: F::NAME,
            quoted_key,
            computed_key: None,
            left_out: false,
            field: if F::FLAT { F::NAME } else { "" },
            sql_type: SqlType::Json,
            nullable: true,
            conditional: true,
            place: Place::Variant(tag),
        },
    };
}

impl<P: Parent, F: Field> Parent for At<P, F>
where
    F::Value: DocumentValue,
{
    type Root = P::Root;
    type Presence = <P::Presence as Presence>::Then<F::Presence>;
    const COLUMNS: &'static [ColumnOf] = P::COLUMNS;
    const TRAIL: Option<&'static Trail> = Some(&Trail { before: P::TRAIL, field: F::NAME });
    const INFO: &'static PathInfo = {
        let nullable = P::INFO.nullable || F::OPTIONAL || <F::Value as DocumentValue>::NULLABLE;
        let conditional = P::INFO.conditional || F::CONDITIONAL;
        let parent = Self::BEFORE;
        if F::FLAT {
            &PathInfo { nullable, conditional, ..*parent }
        } else {
            &PathInfo {
                parent: Some(parent),
                key: F::KEY,
                quoted_key: F::QUOTED_KEY,
                computed_key: F::COMPUTED_KEY,
                field: F::NAME,
                sql_type: <F::Value as DocumentValue>::SQL_TYPE,
                nullable,
                left_out: F::OPTIONAL && !F::CONDITIONAL && !<F::Value as DocumentValue>::NULLABLE,
                conditional,
                place: match column_at(&Trail { before: P::TRAIL, field: F::NAME }, P::COLUMNS) {
                    Some(column) => Place::Generated(column),
                    None => F::PLACE,
                },
            }
        }
    };
}

impl<P: Parent, F: Field> Path for At<P, F>
where
    F::Value: DocumentValue,
{
    type Value = F::Value;
    const FLAT: bool = F::FLAT;
}

/// The path to an element of the list at `P`: a root of its own, so that it mixes with no other path.
pub struct Element<P>(Tag<P>);

/// The type of the elements of the list at `P`.
#[doc(hidden)]
pub type ItemOf<P> = <<P as Path>::Value as List>::Item;

impl<P: Path> Parent for Element<P>
where
    P::Value: List,
{
    type Root = Element<P>;
    type Presence = Always;
    const INFO: &'static PathInfo = &PathInfo {
        parent: None,
        key: P::INFO.key,
        quoted_key: "",
        computed_key: None,
        field: "element",
        sql_type: <ItemOf<P> as DocumentValue>::SQL_TYPE,
        nullable: <ItemOf<P> as DocumentValue>::NULLABLE,
        left_out: false,
        conditional: false,
        place: Place::Element,
    };
}

impl<P: Path> Path for Element<P>
where
    P::Value: List,
{
    type Value = ItemOf<P>;
}

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

/// A field, in the closures of a query. It has no size: its type says everything.
pub struct Column<P>(Tag<P>);

impl<P> Copy for Column<P> {}
impl<P> Clone for Column<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Path> fmt::Debug for Column<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Column({})", P::INFO.field)
    }
}

impl<P: Path> PathSet for Column<P> {
    const NEW: Self = Self(PhantomData);
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

/// No paths: what a refused document has.
impl PathSet for () {
    const NEW: Self = ();
}
