//! Paths: a value of no size per field, whose type says where the field is and what it holds.

use std::fmt;
use std::marker::PhantomData;

use super::capability::List;
use super::presence::{Always, Presence};
use super::trail::{ColumnOf, Trail, column_at};
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

/// No paths: what a refused document has.
impl PathSet for () {
    const NEW: Self = ();
}
