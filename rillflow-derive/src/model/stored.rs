//! Fields whose values are in columns too, and those among them that hold ids of other documents.

use proc_macro2::{Ident, Span};
use syn::Path;
use syn::ext::IdentExt;

use super::fields::Field;
use super::index::{is_plain, name_of};
use crate::attrs::document::ColumnAttr;
use crate::attrs::problems::Problems;

/// A field with a column.
pub(crate) struct StoredColumn {
    /// The column's name.
    pub(crate) name: String,
    pub(crate) path: Vec<Ident>,
    /// The document whose id it holds.
    pub(crate) references: Option<ForeignKey>,
}

/// A reference to another document.
pub(crate) struct ForeignKey {
    pub(crate) name: String,
    pub(crate) target: Path,
}

impl StoredColumn {
    fn new(path: Vec<Ident>, target: Option<Path>, table: &str) -> Self {
        let words: Vec<String> = path.iter().map(|word| word.unraw().to_string()).collect();
        let references = target.map(|target| ForeignKey { name: name_of(table, &words, "fkey"), target });
        Self { name: format!("doc_{}", words.join("_")), path, references }
    }

    /// The token that is to blame.
    pub(crate) fn span(&self) -> Span {
        self.path.last().map_or_else(Span::call_site, Ident::span)
    }
}

/// The columns that the fields ask for, then those that the struct does.
pub(crate) fn check(attrs: &[ColumnAttr], fields: &[Field], table: &str, problems: &mut Problems) -> Vec<StoredColumn> {
    let on_fields = fields.iter().filter(|field| field.attrs.has_column()).map(|field| {
        let target = field.attrs.references.as_ref().map(|(target, _)| target.clone());
        StoredColumn::new(vec![field.ident.clone()], target, table)
    });
    let on_struct = attrs.iter().map(|attr| StoredColumn::new(attr.path.clone(), attr.references.clone(), table));
    let columns: Vec<_> = on_fields.chain(on_struct).collect();
    for (at, column) in columns.iter().enumerate() {
        if !is_plain(&column.name) {
            problems.at(
                column.span(),
                "a field with a column is named by lower-case letters, digits and `_`, at most 59 of them with what is before it",
            );
        }
        if let Some(earlier) = columns[..at].iter().find(|earlier| earlier.name == column.name) {
            problems.at(
                column.span(),
                if earlier.path == column.path {
                    "this field has a column already: a reference is one".to_owned()
                } else {
                    format!("two fields would share the column `{}`: take one of them out", column.name)
                },
            );
        }
        if let ([field], Some(id)) = (&column.path[..], fields.iter().find(|field| field.attrs.id.is_some()))
            && *field == id.ident
            && !id.attrs.has_column()
        {
            problems.at(field.span(), "the id is a column, unique and indexed already");
        }
    }
    columns
}
