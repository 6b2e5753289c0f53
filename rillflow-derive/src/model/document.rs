//! A document: its collection, id and indexes.

use proc_macro2::Ident;
use syn::{DeriveInput, Type};

use super::fields::{Field, Kind, Struct, check as check_fields};
use super::index::{self, Index, LONGEST_NAME, is_plain};
use super::stored::{self, StoredColumn};
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
    pub(crate) columns: Vec<StoredColumn>,
    /// True when deleting keeps the row.
    pub(crate) soft_delete: bool,
    /// True when it has columns for metadata.
    pub(crate) metadata: bool,
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
    let (soft_delete, metadata) = (attrs.soft_delete, attrs.metadata);
    let fields = check_fields(input, Kind::Document, problems)?;
    let collection = check_collection(&attrs, &fields, problems);
    let id = check_id(&fields, problems.is_empty(), problems);
    let columns = stored::check(&attrs.columns, &fields.fields, &table(&collection), problems);
    let mut indexes = index::check(&attrs.indexes, &fields.fields, &table(&collection), soft_delete, problems);
    index::of_columns(&columns, &table(&collection), &mut indexes);
    Some(Document { fields, collection, id, indexes, columns, soft_delete, metadata })
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
    if let Some(span) = id.attrs.indexed().or(id.attrs.column) {
        problems.at(span, "the id is a column, unique and indexed already");
    }
    if let Some((_, span)) = id.attrs.references {
        problems.at(span, "the id cannot refer to another document: give it a field of its own");
    }
    if let Some(span) = id.attrs.opaque {
        problems.at(span, "the id cannot be opaque: it is a column of its own");
    }
}
