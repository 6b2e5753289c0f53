//! `index(..)` and its kin, on a struct and on its fields.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{Expr, LitStr, Token};

use crate::model::index::is_plain;

/// A declared index.
pub(crate) struct IndexAttr {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
    pub(crate) name: Option<LitStr>,
    /// Its keys; none for `gin`, nor for one on a field.
    pub(crate) keys: Vec<KeyAttr>,
    /// The language of its texts, of `fulltext`.
    pub(crate) language: Option<LitStr>,
    /// `where(..)`.
    pub(crate) only: Only,
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

/// Which documents it holds, when these are not all: `where(not_deleted, |c| c.status == Status::Active)`.
#[derive(Default)]
pub(crate) struct Only {
    pub(crate) not_deleted: Option<Span>,
    pub(crate) condition: Option<Expr>,
}

impl Only {
    /// True when the index holds all documents.
    pub(crate) fn is_nothing(&self) -> bool {
        self.not_deleted.is_none() && self.condition.is_none()
    }
}

/// One key of an index: `address.city desc`.
pub(crate) struct KeyAttr {
    pub(crate) path: Vec<Ident>,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// `gin`, or `gin(where(..))`.
pub(crate) fn of_everything(meta: &ParseNestedMeta<'_>) -> syn::Result<IndexAttr> {
    without_keys(meta, Kind::Gin, "an index over everything has no fields: `gin`, or `gin(where(..))`")
}

/// `index`, or `index(where(..), name = "..")`, on a field.
pub(crate) fn of_a_field(meta: &ParseNestedMeta<'_>, kind: Kind) -> syn::Result<IndexAttr> {
    without_keys(meta, kind, "on a field, an index is over that field: declare one over others on the struct")
}

fn without_keys(meta: &ParseNestedMeta<'_>, kind: Kind, problem: &str) -> syn::Result<IndexAttr> {
    let span = meta.path.span();
    if !meta.input.peek(syn::token::Paren) {
        return Ok(IndexAttr { span, kind, name: None, keys: Vec::new(), language: None, only: Only::default() });
    }
    let content;
    syn::parenthesized!(content in meta.input);
    let index = index(&content, span, kind)?;
    match index.keys.first().and_then(|key| key.path.first()) {
        Some(key) => Err(syn::Error::new(key.span(), problem)),
        None => Ok(index),
    }
}

/// `(status, created_at desc, name = "..", where(..))`
pub(crate) fn of_keys(meta: &ParseNestedMeta<'_>, kind: Kind) -> syn::Result<IndexAttr> {
    let span = meta.path.span();
    let content;
    syn::parenthesized!(content in meta.input);
    let index = index(&content, span, kind)?;
    if index.keys.is_empty() {
        return Err(syn::Error::new(span, "name the fields of the index, such as `index(status, created_at desc)`"));
    }
    let one_key = matches!(kind, Kind::TextPattern | Kind::Trigram);
    if one_key && (index.keys.len() > 1 || index.keys[0].descending) {
        return Err(syn::Error::new(span, "this kind of index is over one field, without a direction"));
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
    let mut index = IndexAttr { span, kind, name: None, keys: Vec::new(), language: None, only: Only::default() };
    while !input.is_empty() {
        if input.peek(Token![where]) {
            index.only = only(input)?;
        } else if input.peek(syn::Ident) && input.peek2(Token![=]) {
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
    Ok(index)
}

/// `where(not_deleted, |c| condition)`, or one of the two.
fn only(input: ParseStream<'_>) -> syn::Result<Only> {
    let word = input.parse::<Token![where]>()?;
    let help =
        "say which documents the index holds: `where(|c| c.status == Status::Active)`, `where(not_deleted)`, or both";
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(word.span, help));
    }
    let content;
    syn::parenthesized!(content in input);
    let mut only = Only::default();
    while !content.is_empty() {
        match content.parse()? {
            Expr::Path(path) if path.path.is_ident("not_deleted") => only.not_deleted = Some(path.span()),
            Expr::Closure(closure) if only.condition.is_none() => only.condition = Some(Expr::Closure(closure)),
            Expr::Closure(second) => {
                return Err(syn::Error::new(
                    second.inputs_begin.span(),
                    "an index has one condition: join them by `&&`",
                ));
            }
            other => return Err(syn::Error::new(other.span(), help)),
        }
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    if only.is_nothing() {
        return Err(syn::Error::new(word.span, help));
    }
    Ok(only)
}

fn key(input: ParseStream<'_>) -> syn::Result<KeyAttr> {
    let path = path(input)?;
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

/// `address.city`
pub(super) fn path(input: ParseStream<'_>) -> syn::Result<Vec<Ident>> {
    let mut path = vec![input.call(Ident::parse_any)?];
    while input.peek(Token![.]) {
        input.parse::<Token![.]>()?;
        path.push(input.call(Ident::parse_any)?);
    }
    Ok(path)
}
