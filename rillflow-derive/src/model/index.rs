//! Declared indexes: keys and names.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;

use super::fields::Field;
use crate::attrs::document::{IndexAttr, Kind};
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
}

/// One key of an index.
pub(crate) struct Key {
    pub(crate) path: Vec<Ident>,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// All indexes of a document: those on the struct, then those on its fields.
pub(crate) fn check(attrs: Vec<IndexAttr>, fields: &[Field], table: &str, problems: &mut Problems) -> Vec<Index> {
    let mut indexes: Vec<Index> = attrs.into_iter().map(|attr| on_struct(attr, table, problems)).collect();
    indexes.extend(fields.iter().filter_map(|field| on_field(field, table)));
    for second in indexes.iter().filter(|index| index.kind == Kind::FullText).skip(1) {
        problems.at(second.span, "a document has one full-text index: name all of its texts there");
    }
    for (at, index) in indexes.iter().enumerate() {
        if indexes[..at].iter().any(|earlier| earlier.name == index.name) {
            problems.at(index.span, "this index is declared twice");
        }
    }
    indexes
}

fn on_struct(attr: IndexAttr, table: &str, problems: &mut Problems) -> Index {
    let keys: Vec<Key> = attr
        .keys
        .into_iter()
        .map(|key| Key { path: key.path, descending: key.descending, nulls_first: key.nulls_first })
        .collect();
    let name = match &attr.name {
        Some(name) => {
            if !is_plain(&name.value()) {
                problems.at(name.span(), "a name is lower-case letters, digits and `_`, at most 63 of them");
            }
            name.value()
        }
        None => index_name(table, &keys, attr.kind),
    };
    Index { span: attr.span, name, kind: attr.kind, keys, language: attr.language.map(|language| language.value()) }
}

fn on_field(field: &Field, table: &str) -> Option<Index> {
    let span = field.attrs.declared().filter(|_| field.attrs.id.is_none())?;
    let kind = if field.attrs.unique.is_some() { Kind::Unique } else { Kind::Plain };
    let keys = vec![Key { path: vec![field.ident.clone()], descending: false, nulls_first: false }];
    Some(Index { span, name: index_name(table, &keys, kind), kind, keys, language: None })
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
