//! Patches: changes to parts of a document, typed by the paths that queries use.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde_json::value::RawValue;

use super::query::tree::{PathInfo, Place};
use super::query::{Column, List, Nullable, Parent, Path};
use super::{Document, Newtype, jsonb};
use crate::{Error, Result};

/// Changes to parts of a document, applied in their order. [`Docs::patch`](crate::Docs::patch) hands an empty one to its
/// closure.
///
/// Whatever a change does not name stays as it is, also what other programs wrote there. A missing object on the way to
/// a field comes into being; a missing list counts as empty, a missing number as 0.
///
/// A document keeps its id: this does not compile.
///
/// ```compile_fail,E0080
/// # use rillflow::{Document, Patch};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize, Document)]
/// # struct Note { #[document(id)] id: i64, stars: i64 }
/// let wrong: fn(<Note as Document>::Paths, Patch<Note>) -> Patch<Note> = |n, p| p.set(n.id, 2);
/// # std::hint::black_box(wrong);
/// ```
///
/// What a flattened struct holds lies beside the other fields, so a patch changes its fields one by one, not it as a whole:
///
/// ```compile_fail,E0080
/// # use rillflow::{Document, DocumentFields, Patch};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize, DocumentFields)]
/// # struct Stars { given: i64 }
/// # #[derive(Serialize, Deserialize, Document)]
/// # struct Note { #[document(id)] id: i64, #[serde(flatten)] stars: Stars }
/// let wrong: fn(<Note as Document>::Paths, Patch<Note>) -> Patch<Note> = |n, p| p.set(n.stars, Stars { given: 2 });
/// # std::hint::black_box(wrong);
/// ```
#[must_use = "a patch changes nothing before it is returned to `patch`"]
pub struct Patch<D> {
    /// The changes so far, without brackets, or the first value that cannot be stored.
    changes: Result<String>,
    /// Whether there are some that `rillflow_patch` does not know, and that are made between its own.
    in_steps: bool,
    document: PhantomData<fn() -> D>,
}

/// Changes as a statement takes them.
#[derive(Debug)]
pub(crate) struct PatchChanges {
    /// A JSON array.
    pub(crate) json: String,
    /// Whether they are made one after another.
    pub(crate) in_steps: bool,
}

/// A field that a patch can name: a column, or a nested struct as a whole.
#[doc(hidden)]
pub trait PathTo {
    /// Where it is.
    type Path: Path;
}

impl<P: Path> PathTo for Column<P> {
    type Path = P;
}

/// The type of the field at `F`.
type ValueOf<F> = <<F as PathTo>::Path as Path>::Value;

/// The type of the elements of the list at `F`.
type ItemOf<F> = <ValueOf<F> as List>::Item;

/// A value that a field of type `T` can take: `T` itself, a reference to one, text for a `String`, and each of them for
/// an `Option`.
#[diagnostic::on_unimplemented(
    message = "a `{T}` field cannot take a value of type `{Self}`",
    label = "expected a `{T}`, found `{Self}`"
)]
#[doc(hidden)]
pub trait Fits<T: ?Sized>: Serialize {}

impl<T: Serialize> Fits<T> for T {}
#[diagnostic::do_not_recommend]
impl<T: Serialize> Fits<T> for &T {}
#[diagnostic::do_not_recommend]
impl<T: Serialize> Fits<Option<T>> for T {}
#[diagnostic::do_not_recommend]
impl<T: Serialize> Fits<Option<T>> for &T {}
#[diagnostic::do_not_recommend]
impl Fits<String> for &str {}
#[diagnostic::do_not_recommend]
impl Fits<Option<String>> for &str {}

/// A number that can be incremented.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number: `increment` needs a field of numbers",
    label = "`{Self}` cannot be incremented"
)]
#[doc(hidden)]
pub trait Number {
    /// What is added to it.
    type Amount: Serialize;
    /// How it is added.
    const OPERATION: &'static str;
    /// The least and the greatest value of its type; PostgreSQL watches over floats.
    const RANGE: Option<(i128, i128)>;
}

macro_rules! integers {
    ($($type:ty)*) => { $(
        impl Number for $type {
            type Amount = i64;
            const OPERATION: &'static str = "increment";
            const RANGE: Option<(i128, i128)> = Some((<$type>::MIN as i128, <$type>::MAX as i128));
        }
    )* };
}
integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

macro_rules! floats {
    ($($type:ty: $operation:literal)*) => { $(
        impl Number for $type {
            type Amount = $type;
            const OPERATION: &'static str = $operation;
            const RANGE: Option<(i128, i128)> = None;
        }
    )* };
}
floats!(f32: "increment_real" f64: "increment_float");

#[cfg(feature = "decimal")]
impl Number for rust_decimal::Decimal {
    type Amount = Self;
    const OPERATION: &'static str = "increment";
    // 96 bits
    const RANGE: Option<(i128, i128)> = Some((1 - (1 << 96), (1 << 96) - 1));
}

impl<T: Number> Number for Option<T> {
    type Amount = T::Amount;
    const OPERATION: &'static str = T::OPERATION;
    const RANGE: Option<(i128, i128)> = T::RANGE;
}

#[diagnostic::do_not_recommend]
impl<T: Newtype> Number for T
where
    T::Inner: Number,
{
    type Amount = <T::Inner as Number>::Amount;
    const OPERATION: &'static str = <T::Inner as Number>::OPERATION;
    const RANGE: Option<(i128, i128)> = <T::Inner as Number>::RANGE;
}

impl<D: Document> Patch<D> {
    pub(crate) fn new() -> Self {
        Self { changes: Ok(String::new()), in_steps: false, document: PhantomData }
    }

    /// The changes, or the first value that cannot be stored.
    pub(crate) fn into_changes(self) -> Result<PatchChanges> {
        Ok(PatchChanges { json: format!("[{}]", self.changes?), in_steps: self.in_steps })
    }

    /// Gives a field a value.
    pub fn set<F>(self, _: F, value: impl Fits<ValueOf<F>>) -> Self
    where
        F: PathTo<Path: Parent<Root = D>>,
    {
        self.add(&Change { value: Some(value), ..Change::at::<F>("set") })
    }

    /// Adds to a number; a negative amount takes away. A `Decimal` is added exactly, digit by digit.
    ///
    /// A result that the field's type cannot hold is [`Error::Patch`](crate::Error::Patch).
    pub fn increment<F>(self, _: F, by: <ValueOf<F> as Number>::Amount) -> Self
    where
        F: PathTo<Path: Parent<Root = D>>,
        ValueOf<F>: Number,
    {
        let (min, max) = <ValueOf<F> as Number>::RANGE.unzip();
        let (by, is_text) = match amount(&by, || Self::what(&Change::<()>::at::<F>("increment"))) {
            Ok(amount) => amount,
            Err(error) => return Self { changes: self.changes.and(Err(error)), ..self },
        };
        let operation = <ValueOf<F> as Number>::OPERATION;
        let change = Change { value: Some(by), min, max, ..Change::at::<F>(operation) };
        if !is_text {
            return self.add(&change);
        }
        let this = self.add(&Change::<()>::at::<F>("as_number")).add(&change).add(&Change::<()>::at::<F>("as_text"));
        Self { in_steps: true, ..this }
    }

    /// Adds an element at the end of a list.
    pub fn append<F>(self, _: F, value: impl Fits<ItemOf<F>>) -> Self
    where
        F: PathTo<Path: Parent<Root = D>>,
        ValueOf<F>: List,
    {
        self.add(&Change { value: Some(value), ..Change::at::<F>("append") })
    }

    /// Adds an element at the end of a list that does not hold an equal one.
    pub fn append_if_missing<F>(self, _: F, value: impl Fits<ItemOf<F>>) -> Self
    where
        F: PathTo<Path: Parent<Root = D>>,
        ValueOf<F>: List,
    {
        self.add(&Change { value: Some(value), ..Change::at::<F>("append_if_missing") })
    }

    /// Adds an element before the one at `index`; at the end when there is none.
    pub fn insert<F>(self, _: F, index: u32, value: impl Fits<ItemOf<F>>) -> Self
    where
        F: PathTo<Path: Parent<Root = D>>,
        ValueOf<F>: List,
    {
        // PostgreSQL counts no further
        let at = index.min(i32::MAX as u32);
        self.add(&Change { value: Some(value), at: Some(at), ..Change::at::<F>("insert") })
    }

    /// Removes every element that is equal to a value.
    pub fn remove<F>(self, _: F, value: impl Fits<ItemOf<F>>) -> Self
    where
        F: PathTo<Path: Parent<Root = D>>,
        ValueOf<F>: List,
    {
        self.add(&Change { value: Some(value), ..Change::at::<F>("remove") })
    }

    /// Takes a field away that may be missing.
    pub fn unset<F>(self, _: F) -> Self
    where
        F: PathTo<Path: Parent<Root = D>>,
        ValueOf<F>: Nullable,
    {
        self.add(&Change::<()>::at::<F>("unset"))
    }

    /// Moves what is stored under an older name beside a field to the field; changes nothing when there is none.
    pub fn rename<F>(self, old_name: &str, _: F) -> Self
    where
        F: PathTo<Path: Parent<Root = D>>,
    {
        let change = Change::<()> { from: Some(old_name), ..Change::at::<F>("rename") };
        if change.path.len() == 1 && old_name == D::COLLECTION.id_key {
            let (collection, problem) = (D::COLLECTION.name, "a document keeps its id".to_owned());
            return Self { changes: self.changes.and(Err(Error::Patch { collection, problem })), ..self };
        }
        self.add(&change)
    }

    fn what(change: &Change<'_, impl Serialize>) -> String {
        format!("a patch of {} {}", D::COLLECTION.name, change.path.join("."))
    }

    fn add(self, change: &Change<'_, impl Serialize>) -> Self {
        let encoded = jsonb::encode(change, || Self::what(change));
        let changes = self.changes.and_then(|changes| {
            let encoded = encoded?;
            Ok(if changes.is_empty() { encoded } else { changes + "," + &encoded })
        });
        Self { changes, ..self }
    }
}

/// An amount as a JSON number, and whether serde writes it as text, as it does decimals: what is stored is a number then
/// only while it is added to.
fn amount(by: &impl Serialize, what: impl Fn() -> String) -> Result<(Box<RawValue>, bool)> {
    let json = jsonb::encode(by, &what)?;
    let digits = json.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let number = RawValue::from_string(digits.unwrap_or(&json).to_owned());
    let number = number.map_err(|e| Error::Encode { what: what(), reason: e.to_string() })?;
    Ok((number, digits.is_some()))
}

/// The keys from the document to a field.
fn keys(info: &'static PathInfo, keys: &mut Vec<&'static str>) {
    if let Some(parent) = info.parent {
        self::keys(parent, keys);
        keys.push(info.key);
    }
}

/// One change, as `rillflow_patch` reads it.
#[derive(Serialize)]
struct Change<'a, V> {
    op: &'static str,
    path: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<V>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<i128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<i128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
}

impl<V> Change<'_, V> {
    /// A change of the field at `F`, if it is one that a patch may change.
    fn at<F: PathTo>(op: &'static str) -> Self {
        let info = const {
            let info = <F::Path as Parent>::INFO;
            assert!(!matches!(info.place, Place::Id), "a document keeps its id: a patch cannot change it");
            assert!(
                !<F::Path as Path>::FLAT,
                "a flattened field has no key of its own: a patch changes the fields in it"
            );
            assert!(!info.conditional, "this is there in one variant only: a patch sets the enum as a whole");
            info
        };
        let mut path = Vec::new();
        keys(info, &mut path);
        Self { op, path, value: None, at: None, min: None, max: None, from: None }
    }
}

impl<D: Document> fmt::Debug for Patch<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patch").field("collection", &D::COLLECTION.name).field("changes", &self.changes).finish()
    }
}
