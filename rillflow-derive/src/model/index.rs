//! Declared indexes: keys and names.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;

use super::fields::Field;
use super::partial::{self, Partial};
use super::stored::StoredColumn;
use crate::attrs::index::{IndexAttr, Kind, Only};
use crate::attrs::problems::Problems;

/// The most bytes of an identifier that PostgreSQL keeps.
pub(crate) const LONGEST_NAME: usize = 63;

/// One index.
pub(crate) struct Index {
    pub(crate) span: Span,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Its keys; none for one over everything (`gin`).
    pub(crate) keys: Vec<Key>,
    /// The language of its texts, for words.
    pub(crate) language: Option<String>,
    /// The condition that its documents fulfil.
    pub(crate) partial: Option<Partial>,
    /// True when soft-deleted documents are not in it.
    pub(crate) not_deleted: bool,
}

/// One key of an index.
pub(crate) struct Key {
    pub(crate) path: Vec<Ident>,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// All indexes of a document: those on the struct, then those on its fields.
pub(crate) fn check(
    attrs: &[IndexAttr],
    fields: &[Field],
    table: &str,
    soft_delete: bool,
    problems: &mut Problems,
) -> Vec<Index> {
    let mut indexes: Vec<Index> = attrs.iter().map(|attr| on_struct(attr, table, problems)).collect();
    for field in fields.iter().filter(|field| field.attrs.id.is_none()) {
        on_field(field, table, &mut indexes, problems);
    }
    for second in indexes.iter().filter(|index| index.kind == Kind::FullText).skip(1) {
        problems.at(second.span, "a document has one full-text index: name all of its texts there");
    }
    for (at, index) in indexes.iter().enumerate() {
        if indexes[..at].iter().any(|earlier| earlier.name == index.name) {
            problems.at(index.span, "this index is declared twice: remove it, or give it another `name = \"..\"`");
        }
    }
    if !soft_delete {
        let attrs = fields.iter().flat_map(|field| field.attrs.index.iter().chain(&field.attrs.unique)).chain(attrs);
        for span in attrs.filter_map(|attr| attr.only.not_deleted) {
            problems.at(span, "documents of this collection are deleted for good: add `soft_delete`, or remove this");
        }
    }
    indexes
}

fn on_struct(attr: &IndexAttr, table: &str, problems: &mut Problems) -> Index {
    let keys = attr.keys.iter().map(|key| Key {
        path: key.path.clone(),
        descending: key.descending,
        nulls_first: key.nulls_first,
    });
    declared(attr, keys.collect(), table, problems)
}

/// The indexes that a field's attributes ask for. One that is unique and holds all documents does the other's work too.
fn on_field(field: &Field, table: &str, indexes: &mut Vec<Index>, problems: &mut Problems) {
    let attrs = &field.attrs;
    let keys = || vec![Key { path: vec![field.ident.clone()], descending: false, nulls_first: false }];
    let unique_alone = attrs.unique.as_ref().is_some_and(|unique| unique.only.is_nothing());
    for attr in attrs.unique.iter().chain(attrs.index.iter().filter(|_| !unique_alone)) {
        indexes.push(declared(attr, keys(), table, problems));
    }
}

/// An index for each field with a column that has none by itself.
pub(crate) fn of_columns(columns: &[StoredColumn], table: &str, indexes: &mut Vec<Index>) {
    for column in columns {
        let is_there = |index: &Index| {
            matches!(index.kind, Kind::Plain | Kind::Unique)
                && matches!(&index.keys[..], [key] if key.path == column.path)
        };
        if !indexes.iter().any(is_there) {
            let keys = vec![Key { path: column.path.clone(), descending: false, nulls_first: false }];
            indexes.push(Index {
                span: column.span(),
                name: index_name(table, &keys, Kind::Plain),
                kind: Kind::Plain,
                keys,
                language: None,
                partial: None,
                not_deleted: false,
            });
        }
    }
}

fn declared(attr: &IndexAttr, keys: Vec<Key>, table: &str, problems: &mut Problems) -> Index {
    let name = match &attr.name {
        Some(name) => {
            if !is_plain(&name.value()) {
                problems.at(name.span(), "a name is lower-case letters, digits and `_`, at most 63 of them");
            }
            name.value()
        }
        None => index_name(table, &keys, attr.kind),
    };
    let Only { not_deleted, condition } = &attr.only;
    Index {
        span: attr.span,
        name,
        kind: attr.kind,
        keys,
        language: attr.language.as_ref().map(syn::LitStr::value),
        partial: condition.as_ref().and_then(|condition| partial::check(condition, problems)),
        not_deleted: not_deleted.is_some(),
    }
}

/// True for a name that needs no quotes in SQL.
pub(crate) fn is_plain(name: &str) -> bool {
    let mut letters = name.bytes();
    letters.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_')
        && name.len() <= LONGEST_NAME
}

/// `docs_customers_status_created_at_idx`. A name that is too long, or not plain, ends in a hash of all of it, so that
/// it stays the same from build to build.
fn index_name(table: &str, keys: &[Key], kind: Kind) -> String {
    let words: Vec<String> = keys.iter().flat_map(|key| &key.path).map(|word| word.unraw().to_string()).collect();
    let suffix = match kind {
        Kind::Gin => "gin",
        Kind::Unique => "key",
        Kind::Plain => "idx",
        Kind::TextPattern => "pattern_idx",
        Kind::Trigram => "trigram_idx",
        Kind::FullText => "fulltext_idx",
    };
    name_of(table, &words, suffix)
}

/// `table_word_word_suffix`, cut where PostgreSQL would cut it.
pub(crate) fn name_of(table: &str, words: &[String], suffix: &str) -> String {
    let full = [&[table.to_owned()], words, &[suffix.to_owned()]].concat().join("_");
    if is_plain(&full) {
        return full;
    }
    let tail = format!("_{:08x}_{suffix}", hash(&full));
    let plain = full.bytes().map(|b| if b.is_ascii_alphanumeric() { b.to_ascii_lowercase() as char } else { '_' });
    plain.take(LONGEST_NAME - tail.len()).collect::<String>() + &tail
}

/// FNV-1a: stable whatever the compiler.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key { path: vec![Ident::new(name, Span::call_site())], descending: false, nulls_first: false }
    }

    #[test]
    fn names_say_table_fields_and_kind() {
        assert_eq!(index_name("docs_notes", &[key("a"), key("b")], Kind::Plain), "docs_notes_a_b_idx");
        assert_eq!(index_name("docs_notes", &[key("a")], Kind::Unique), "docs_notes_a_key");
        assert_eq!(index_name("docs_notes", &[], Kind::Gin), "docs_notes_gin");
    }

    #[test]
    fn long_names_are_cut_to_a_stable_hash() {
        let name = index_name("docs_notes", &[key(&"long".repeat(20))], Kind::Plain);
        assert_eq!(name.len(), LONGEST_NAME);
        assert_eq!(name, "docs_notes_longlonglonglonglonglonglonglonglonglon_f72b22b5_idx");
    }
}
