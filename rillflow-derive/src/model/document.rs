//! A document: its collection, id and indexes.

use proc_macro2::Ident;
use syn::{DeriveInput, Type};

use super::fields::{Field, Kind, Struct, check as check_fields};
use super::index::{self, Index, LONGEST_NAME, is_plain};
use crate::attrs::document::{self, DocumentAttrs};
use crate::attrs::problems::Problems;
use crate::attrs::serde::snake_case;

/// A checked document.
pub(crate) struct Document {
    pub(crate) fields: Struct,
    pub(crate) collection: String,
    /// None after a refusal.
    pub(crate) id: Option<(Ident, Type)>,
    pub(crate) indexes: Vec<Index>,
    /// True when deleting keeps the row.
    pub(crate) soft_delete: bool,
}

impl Document {
    /// The field that is the id.
    pub(crate) fn id_field(&self) -> Option<&Field> {
        self.fields.fields.iter().find(|field| field.attrs.id.is_some())
    }

    /// The table's name, without a schema.
    pub(crate) fn table(&self) -> String {
        table(&self.collection)
    }
}

fn table(collection: &str) -> String {
    format!("docs_{collection}")
}

/// Checks `#[derive(Document)]`.
pub(crate) fn check(input: &DeriveInput, problems: &mut Problems) -> Option<Document> {
    let attrs = document::read(&input.attrs, problems);
    let soft_delete = attrs.soft_delete;
    let fields = check_fields(input, Kind::Document, problems)?;
    let collection = check_collection(&attrs, &fields, problems);
    let id = check_id(&fields, problems.is_empty(), problems);
    let indexes = index::check(attrs.indexes, &fields.fields, &table(&collection), problems);
    Some(Document { fields, collection, id, indexes, soft_delete })
}

/// Checks `#[derive(DocumentFields)]`.
pub(crate) fn check_nested(input: &DeriveInput, problems: &mut Problems) -> Option<Struct> {
    let attrs = document::read(&input.attrs, problems);
    if let Some(span) = attrs.span {
        problems.at(span, "only a document has a collection and indexes: declare them on its struct");
    }
    check_fields(input, Kind::Fields, problems)
}

fn check_collection(attrs: &DocumentAttrs, fields: &Struct, problems: &mut Problems) -> String {
    let (name, span) = match &attrs.collection {
        Some(name) => (name.value(), name.span()),
        None => (snake_case(&fields.ident.to_string()) + "s", fields.ident.span()),
    };
    if !is_plain(&name) || table(&name).len() > LONGEST_NAME {
        problems.at(
            span,
            format!("`{name}` cannot name a table: choose lower-case letters, digits and `_`, at most 58 of them, with `#[document(collection = \"..\")]`"),
        );
    }
    name
}

/// `fields_are_sound`: a field that was refused may have been the id.
fn check_id(fields: &Struct, fields_are_sound: bool, problems: &mut Problems) -> Option<(Ident, Type)> {
    let mut marked = fields.fields.iter().filter(|field| field.attrs.id.is_some());
    let Some(id) = marked.next() else {
        let name = &fields.ident;
        if fields_are_sound {
            problems.at(name.span(), format!("document `{name}` has no id: mark one field `#[document(id)]`"));
        }
        return None;
    };
    for second in marked {
        problems.at(
            second.attrs.id.unwrap_or_else(|| second.ident.span()),
            "a document has one id, and there is one already",
        );
    }
    refuse_marks(id, problems);
    Some((id.ident.clone(), id.ty.clone()))
}

fn refuse_marks(id: &Field, problems: &mut Problems) {
    if let Some(span) = id.attrs.index.or(id.attrs.unique) {
        problems.at(span, "the id is unique and indexed already");
    }
    if let Some(span) = id.attrs.opaque {
        problems.at(span, "the id cannot be opaque: it is a column of its own");
    }
}
