//! The names that a path was written with, by which it finds its column.

use super::text::str_eq;

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
pub(super) const fn column_at(trail: &Trail, columns: &[ColumnOf]) -> Option<&'static str> {
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
