//! `#[document(..)]` on a struct and on its fields.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{Attribute, LitStr, Path, Token};

use super::problems::Problems;
use super::{pass_over, value};
use crate::model::index::is_plain;

/// `#[document(..)]` on the struct.
#[derive(Default)]
pub(crate) struct DocumentAttrs {
    /// `collection = ".."`.
    pub(crate) collection: Option<LitStr>,
    /// `gin`, `index(..)` and `unique(..)`.
    pub(crate) indexes: Vec<IndexAttr>,
    /// `soft_delete`.
    pub(crate) soft_delete: bool,
    /// `metadata`.
    pub(crate) metadata: bool,
    /// Where the attribute is.
    pub(crate) span: Option<Span>,
}

/// One index declared on the struct.
pub(crate) struct IndexAttr {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
    pub(crate) name: Option<LitStr>,
    /// Its keys; none for `gin`.
    pub(crate) keys: Vec<KeyAttr>,
    /// The language of its texts, of `fulltext`.
    pub(crate) language: Option<LitStr>,
}

/// What kind of index it is.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Plain,
    Unique,
    Gin,
    TextPattern,
    Trigram,
    FullText,
}

impl IndexAttr {
    fn new(span: Span, kind: Kind) -> Self {
        Self { span, kind, name: None, keys: Vec::new(), language: None }
    }
}

/// One key of an index: `address.city desc`.
pub(crate) struct KeyAttr {
    pub(crate) path: Vec<Ident>,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// Who makes a document's ids, when the application does not.
#[derive(Clone, Copy)]
pub(crate) enum IdSource {
    V7,
    Sequence,
}

/// `#[document(..)]` on a field.
#[derive(Default)]
pub(crate) struct FieldAttrs {
    pub(crate) id: Option<Span>,
    /// Who makes the ids, and where that is said.
    pub(crate) id_source: Option<(IdSource, Span)>,
    pub(crate) index: Option<Span>,
    pub(crate) unique: Option<Span>,
    /// `column`: its value is in a column of its own.
    pub(crate) column: Option<Span>,
    /// `references = Customer`.
    pub(crate) references: Option<(Path, Span)>,
    pub(crate) opaque: Option<Span>,
    pub(crate) skip: Option<Span>,
}

/// Reads the attributes of the struct.
pub(crate) fn read(attrs: &[Attribute], problems: &mut Problems) -> DocumentAttrs {
    let mut read = DocumentAttrs::default();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("document")) {
        read.span = Some(attr.path().span());
        let parsed = attr.parse_nested_meta(|meta| read.option(&meta, problems));
        problems.ok(parsed);
    }
    read
}

/// Reads the attributes of a field.
pub(crate) fn read_field(attrs: &[Attribute], problems: &mut Problems) -> FieldAttrs {
    let mut read = FieldAttrs::default();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("document")) {
        let parsed = attr.parse_nested_meta(|meta| read.option(&meta, problems));
        problems.ok(parsed);
    }
    read
}

impl DocumentAttrs {
    fn option(&mut self, meta: &ParseNestedMeta<'_>, problems: &mut Problems) -> syn::Result<()> {
        let span = meta.path.span();
        match name(meta).as_str() {
            "collection" => self.collection = Some(value(meta)?),
            "soft_delete" => self.soft_delete = true,
            "gin" => self.indexes.push(IndexAttr::new(span, Kind::Gin)),
            "index" => self.indexes.push(index_of(meta, Kind::Plain)?),
            "unique" => self.indexes.push(index_of(meta, Kind::Unique)?),
            "text_pattern" => self.indexes.push(index_of(meta, Kind::TextPattern)?),
            "trigram" => self.indexes.push(index_of(meta, Kind::Trigram)?),
            "fulltext" => self.indexes.push(index_of(meta, Kind::FullText)?),
            "metadata" => self.metadata = true,
            other => {
                problems.at(
                    span,
                    format!(
                        "unknown option `{other}`: expected `collection = \"..\"`, `index(..)`, `unique(..)`, `gin`, `text_pattern(..)`, `trigram(..)`, `fulltext(..)`, `metadata` or `soft_delete`"
                    ),
                );
                pass_over(meta)?;
            }
        }
        Ok(())
    }
}

impl FieldAttrs {
    /// What asks for a value of the field's own in the database, beside the document's JSON.
    pub(crate) fn declared(&self) -> Option<Span> {
        let references = self.references.as_ref().map(|(_, span)| *span);
        self.id.or(self.index).or(self.unique).or(self.column).or(references)
    }

    /// True when its value is in a column of its own.
    pub(crate) fn has_column(&self) -> bool {
        self.column.is_some() || self.references.is_some()
    }

    fn option(&mut self, meta: &ParseNestedMeta<'_>, problems: &mut Problems) -> syn::Result<()> {
        let span = meta.path.span();
        let option = match name(meta).as_str() {
            "id" => {
                self.id_source = id_source(meta)?;
                &mut self.id
            }
            "index" => &mut self.index,
            "unique" => &mut self.unique,
            "column" => &mut self.column,
            "references" => {
                self.references = Some((value(meta)?, span));
                return Ok(());
            }
            "opaque" => &mut self.opaque,
            "skip" => &mut self.skip,
            other => {
                problems.at(
                    span,
                    format!("unknown option `{other}`: expected `id`, `id(v7)`, `id(sequence)`, `index`, `unique`, `column`, `references = ..`, `opaque` or `skip`"),
                );
                return pass_over(meta);
            }
        };
        *option = Some(span);
        Ok(())
    }
}

/// `(v7)` or `(sequence)` behind `id`.
fn id_source(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<(IdSource, Span)>> {
    if !meta.input.peek(syn::token::Paren) {
        return Ok(None);
    }
    let content;
    syn::parenthesized!(content in meta.input);
    let word: Ident = content.parse()?;
    let source = match word.to_string().as_str() {
        "v7" => IdSource::V7,
        "sequence" => IdSource::Sequence,
        _ => return Err(syn::Error::new(word.span(), "expected `v7`, for UUIDs, or `sequence`, for numbers")),
    };
    Ok(Some((source, word.span())))
}

fn name(meta: &ParseNestedMeta<'_>) -> String {
    meta.path.get_ident().map(ToString::to_string).unwrap_or_default()
}

/// `(status, created_at desc, name = "..")`
fn index_of(meta: &ParseNestedMeta<'_>, kind: Kind) -> syn::Result<IndexAttr> {
    let content;
    syn::parenthesized!(content in meta.input);
    let index = index(&content, meta.path.span(), kind)?;
    let one_key = matches!(kind, Kind::TextPattern | Kind::Trigram);
    if one_key && (index.keys.len() > 1 || index.keys[0].descending) {
        return Err(syn::Error::new(meta.path.span(), "this kind of index is over one field, without a direction"));
    }
    if kind == Kind::FullText {
        check_full_text(&index)?;
    }
    Ok(index)
}

fn check_full_text(index: &IndexAttr) -> syn::Result<()> {
    let help = "say the language of the texts, such as `fulltext(language = \"english\", title, body)`";
    let Some(language) = &index.language else { return Err(syn::Error::new(index.span, help)) };
    if !is_plain(&language.value()) {
        return Err(syn::Error::new(
            language.span(),
            "a language is the name of a text search configuration of PostgreSQL, such as `english` or `simple`",
        ));
    }
    if index.keys.iter().any(|key| key.descending || key.nulls_first) {
        return Err(syn::Error::new(index.span, "a full-text index has no direction"));
    }
    Ok(())
}

fn index(input: ParseStream<'_>, span: Span, kind: Kind) -> syn::Result<IndexAttr> {
    let mut index = IndexAttr::new(span, kind);
    while !input.is_empty() {
        if input.peek(syn::Ident) && input.peek2(Token![=]) {
            let option: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            match option.to_string().as_str() {
                "name" => index.name = Some(input.parse()?),
                "language" if kind == Kind::FullText => index.language = Some(input.parse()?),
                _ => return Err(syn::Error::new(option.span(), "expected a field, or `name = \"..\"`")),
            }
        } else {
            index.keys.push(key(input)?);
        }
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    if index.keys.is_empty() {
        return Err(syn::Error::new(span, "name the fields of the index, such as `index(status, created_at desc)`"));
    }
    Ok(index)
}

fn key(input: ParseStream<'_>) -> syn::Result<KeyAttr> {
    let mut path = vec![input.call(Ident::parse_any)?];
    while input.peek(Token![.]) {
        input.parse::<Token![.]>()?;
        path.push(input.call(Ident::parse_any)?);
    }
    let (mut descending, mut nulls_first) = (false, None);
    while input.peek(syn::Ident) {
        let word: Ident = input.parse()?;
        match word.to_string().as_str() {
            "asc" => descending = false,
            "desc" => descending = true,
            "nulls_first" => nulls_first = Some(true),
            "nulls_last" => nulls_first = Some(false),
            _ => {
                return Err(syn::Error::new(word.span(), "expected `asc`, `desc`, `nulls_first`, `nulls_last` or `,`"));
            }
        }
    }
    Ok(KeyAttr { path, descending, nulls_first: nulls_first.unwrap_or(descending) })
}
