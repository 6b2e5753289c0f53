//! Fields to give back instead of documents.

use super::capability::Map;
use super::entry::Entry;
use super::path::{Column, Path};
use super::presence::InRow;
use super::tree::{Output, PathInfo};
use crate::model::SqlValue;

/// Fields to give back instead of the document: one, or a tuple of them.
#[diagnostic::on_unimplemented(
    message = "this cannot be selected",
    label = "expected a field, a tuple of fields, or a struct of fields"
)]
pub trait Selection: Send + Sync {
    /// What the fields belong to.
    type Root;
    /// The Rust type of one row.
    type Row: 'static;
    /// What the statement gives back.
    #[doc(hidden)]
    const OUTPUT: Output;
    /// Adds its values to the parameters.
    #[doc(hidden)]
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

/// One field of a selection.
#[diagnostic::on_unimplemented(
    message = "this cannot be selected",
    label = "expected a field, a tuple of fields, or a struct of fields"
)]
#[doc(hidden)]
pub trait SelectedField: Send + Sync {
    /// What it belongs to.
    type Root;
    /// What it is in a row.
    type Value: 'static;
    /// Where it is.
    const INFO: &'static PathInfo;
    /// Adds its values to the parameters.
    fn bind(&self, _: &mut Vec<SqlValue>) {}
}

impl<P: Path> SelectedField for Column<P> {
    type Root = P::Root;
    type Value = InRow<P>;
    const INFO: &'static PathInfo = P::INFO;
}

impl<P: Path> Selection for Column<P> {
    type Root = P::Root;
    type Row = InRow<P>;
    const OUTPUT: Output = Output::Value(P::INFO);
}

impl<P: Path> Selection for Entry<P>
where
    P::Value: Map,
{
    type Root = P::Root;
    type Row = <Self as SelectedField>::Value;
    const OUTPUT: Output = Output::Value(<Self as SelectedField>::INFO);
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        SelectedField::bind(self, binds);
    }
}

macro_rules! tuples {
    ($([$($field:ident $at:tt)*])*) => { $(
        impl<R, $($field: SelectedField<Root = R>),*> Selection for ($($field,)*) {
            type Root = R;
            type Row = ($($field::Value,)*);
            const OUTPUT: Output = Output::Tuple(&[$($field::INFO),*]);
            fn bind(&self, binds: &mut Vec<SqlValue>) {
                $(self.$at.bind(binds);)*
            }
        }
    )* };
}
tuples!(
    [A 0]
    [A 0 B 1]
    [A 0 B 1 C 2]
    [A 0 B 1 C 2 D 3]
    [A 0 B 1 C 2 D 3 E 4]
    [A 0 B 1 C 2 D 3 E 4 F 5]
    [A 0 B 1 C 2 D 3 E 4 F 5 G 6]
    [A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7]
);

/// The output of a selection.
#[doc(hidden)]
pub const fn output_of<S: Selection>(_: &S) -> Output {
    S::OUTPUT
}

/// A field's path, to select it under a name.
#[doc(hidden)]
pub const fn field_of<P: Path>(_: Column<P>) -> &'static PathInfo {
    P::INFO
}

/// A value as rows hold it: for code that is checked and never run.
#[doc(hidden)]
pub fn value_of<P: Path>(_: Column<P>) -> InRow<P> {
    unreachable!("only its type is looked at")
}
