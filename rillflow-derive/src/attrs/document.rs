//! `#[document(..)]` on a struct and on its fields.

use proc_macro2::{Ident, Span};
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, LitStr, Path, Token};

use super::index::{self, IndexAttr, Kind};
use super::problems::Problems;
use super::{pass_over, value};

/// `#[document(..)]` on the struct.
#[derive(Default)]
pub(crate) struct DocumentAttrs {
    /// `collection = ".."`.
    pub(crate) collection: Option<LitStr>,
    /// `gin`, `index(..)` and `unique(..)`.
    pub(crate) indexes: Vec<IndexAttr>,
    /// The fields of `column(..)` and `references(..)`.
    pub(crate) columns: Vec<ColumnAttr>,
    /// `soft_delete`.
    pub(crate) soft_delete: bool,
    /// `metadata`.
    pub(crate) metadata: bool,
    /// Where the attribute is.
    pub(crate) span: Option<Span>,
}

/// A field with a column, as the struct declares it: `address.city`, or `address.country = Country`.
pub(crate) struct ColumnAttr {
    pub(crate) path: Vec<Ident>,
    pub(crate) references: Option<Path>,
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
    /// `index` or `index(..)`.
    pub(crate) index: Option<IndexAttr>,
    /// `unique` or `unique(..)`.
    pub(crate) unique: Option<IndexAttr>,
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
            "gin" => self.indexes.push(index::of_everything(meta)?),
            "index" => self.indexes.push(index::of_keys(meta, Kind::Plain)?),
            "unique" => self.indexes.push(index::of_keys(meta, Kind::Unique)?),
            "text_pattern" => self.indexes.push(index::of_keys(meta, Kind::TextPattern)?),
            "trigram" => self.indexes.push(index::of_keys(meta, Kind::Trigram)?),
            "fulltext" => self.indexes.push(index::of_keys(meta, Kind::FullText)?),
            "column" => self.columns.extend(columns(meta, column)?),
            "references" => self.columns.extend(columns(meta, reference)?),
            "metadata" => self.metadata = true,
            other => {
                problems.at(
                    span,
                    format!(
                        "unknown option `{other}`: expected `collection = \"..\"`, `index(..)`, `unique(..)`, `gin`, `text_pattern(..)`, `trigram(..)`, `fulltext(..)`, `column(..)`, `references(..)`, `metadata` or `soft_delete`"
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
        self.id.or(self.indexed()).or(self.column).or(references)
    }

    /// Where it is said that the field has an index.
    pub(crate) fn indexed(&self) -> Option<Span> {
        self.index.as_ref().or(self.unique.as_ref()).map(|index| index.span)
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
            "index" => {
                self.index = Some(index::of_a_field(meta, Kind::Plain)?);
                return Ok(());
            }
            "unique" => {
                self.unique = Some(index::of_a_field(meta, Kind::Unique)?);
                return Ok(());
            }
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

/// `(address.city, address.zip)`, each read by `one`.
fn columns(
    meta: &ParseNestedMeta<'_>,
    one: fn(ParseStream<'_>) -> syn::Result<ColumnAttr>,
) -> syn::Result<Punctuated<ColumnAttr, Token![,]>> {
    let content;
    syn::parenthesized!(content in meta.input);
    Punctuated::parse_terminated_with(&content, one)
}

/// `address.city`
fn column(input: ParseStream<'_>) -> syn::Result<ColumnAttr> {
    Ok(ColumnAttr { path: index::path(input)?, references: None })
}

/// `address.country = Country`
fn reference(input: ParseStream<'_>) -> syn::Result<ColumnAttr> {
    let path = index::path(input)?;
    if !input.peek(Token![=]) {
        let span = path.last().map_or_else(Span::call_site, Ident::span);
        return Err(syn::Error::new(span, "say whose id it holds: `references(address.country = Country)`"));
    }
    input.parse::<Token![=]>()?;
    Ok(ColumnAttr { path, references: Some(input.parse()?) })
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
