//! What serde's own attributes say about the JSON.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Attribute, LitStr};

use super::problems::Problems;
use super::{pass_over, value};

/// The `#[serde(..)]` options that decide where a value is found.
#[derive(Default)]
pub(crate) struct Serde {
    /// `rename`.
    pub(crate) rename: Option<String>,
    /// `rename_all`.
    pub(crate) rename_all: Rule,
    /// `skip` or `skip_serializing`: not in the JSON.
    pub(crate) skip: bool,
    /// `default` or `skip_serializing_if`: the key may be missing.
    pub(crate) optional: bool,
    /// `rename_all_fields`, of an enum.
    pub(crate) rename_all_fields: Rule,
    /// `tag`, `content` and `untagged`, of an enum.
    pub(crate) tag: Option<LitStr>,
    pub(crate) content: Option<LitStr>,
    pub(crate) untagged: bool,
    /// `flatten`, of a field.
    pub(crate) flatten: Option<Span>,
    /// `transparent`.
    pub(crate) transparent: Option<Span>,
    /// Options that change the JSON in ways that the type does not show, such as `with`.
    pub(crate) reshaped: Vec<(String, Span)>,
}

/// The options of [`Serde::reshaped`].
const RESHAPING: &[&str] = &["with", "serialize_with", "into", "remote"];

/// Reads the `#[serde(..)]` attributes of a struct, enum, field or variant.
pub(crate) fn read(attrs: &[Attribute], problems: &mut Problems) -> Serde {
    let mut serde = Serde::default();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        let read = attr.parse_nested_meta(|meta| serde.option(&meta));
        problems.ok(read);
    }
    serde
}

impl Serde {
    fn option(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match name.as_str() {
            "rename" => self.rename = name_of(meta)?.map(|name| name.value()),
            "rename_all" => {
                if let Some(rule) = name_of(meta)? {
                    self.rename_all = Rule::named(&rule)?;
                }
            }
            "rename_all_fields" => {
                if let Some(rule) = name_of(meta)? {
                    self.rename_all_fields = Rule::named(&rule)?;
                }
            }
            "tag" => self.tag = Some(value(meta)?),
            "content" => self.content = Some(value(meta)?),
            "untagged" => self.untagged = true,
            "flatten" => self.flatten = Some(meta.path.span()),
            "transparent" => self.transparent = Some(meta.path.span()),
            "default" | "skip_serializing_if" => {
                self.optional = true;
                pass_over(meta)?;
            }
            "skip" | "skip_serializing" => self.skip = true,
            other => {
                if RESHAPING.contains(&other) {
                    self.reshaped.push((other.to_owned(), meta.path.span()));
                }
                pass_over(meta)?;
            }
        }
        Ok(())
    }
}

/// `= "name"` or `(serialize = "name", deserialize = "name")`; the two must agree, since a query has one path.
fn name_of(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<LitStr>> {
    if meta.input.peek(syn::Token![=]) {
        return value(meta).map(Some);
    }
    let (mut written, mut read) = (None, None);
    meta.parse_nested_meta(|inner| {
        let side = if inner.path.is_ident("serialize") { &mut written } else { &mut read };
        *side = Some(value::<LitStr>(&inner)?);
        Ok(())
    })?;
    if written.as_ref().map(LitStr::value) != read.as_ref().map(LitStr::value) {
        return Err(syn::Error::new(
            meta.path.span(),
            "a document is read under the name it was written under: give one name for both, `= \"..\"`",
        ));
    }
    Ok(written)
}

/// serde's rules for names.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Rule {
    #[default]
    AsIs,
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl Rule {
    fn named(name: &LitStr) -> syn::Result<Self> {
        Ok(match name.value().as_str() {
            "lowercase" => Self::Lower,
            "UPPERCASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "snake_case" => Self::Snake,
            "SCREAMING_SNAKE_CASE" => Self::ScreamingSnake,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::ScreamingKebab,
            _ => return Err(syn::Error::new(name.span(), "serde has no such rule")),
        })
    }

    /// This rule, or another one where this says nothing.
    pub(crate) fn or(self, other: Self) -> Self {
        if self == Self::AsIs { other } else { self }
    }

    /// The JSON key of a field.
    pub(crate) fn field(self, name: &str) -> String {
        match self {
            Self::AsIs | Self::Lower | Self::Snake => name.to_owned(),
            Self::Upper | Self::ScreamingSnake => name.to_ascii_uppercase(),
            Self::Pascal => name.split('_').map(capitalized).collect(),
            Self::Camel => uncapitalized(&Self::Pascal.field(name)),
            Self::Kebab => name.replace('_', "-"),
            Self::ScreamingKebab => name.to_ascii_uppercase().replace('_', "-"),
        }
    }

    /// The JSON text of an enum's variant.
    pub(crate) fn variant(self, name: &str) -> String {
        match self {
            Self::AsIs | Self::Pascal => name.to_owned(),
            Self::Lower => name.to_ascii_lowercase(),
            Self::Upper => name.to_ascii_uppercase(),
            Self::Camel => uncapitalized(name),
            Self::Snake => snake_case(name),
            Self::ScreamingSnake => snake_case(name).to_ascii_uppercase(),
            Self::Kebab => snake_case(name).replace('_', "-"),
            Self::ScreamingKebab => snake_case(name).to_ascii_uppercase().replace('_', "-"),
        }
    }
}

/// `OrderLine` as `order_line`, the way serde does it.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

fn uncapitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_lowercase().to_string() + letters.as_str()).unwrap_or_default()
}
