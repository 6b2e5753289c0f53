//! `#[event(name = "..", version = n, upcast(1 => f))]` on a variant.

use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, LitInt, LitStr, Path, Token, parenthesized};

use super::options;
use super::problems::Problems;

/// The options of one variant, as written.
#[derive(Default)]
pub(crate) struct EventOptions {
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitInt>,
    pub(crate) upcasts: Vec<Upcast>,
}

/// `1 => placed_v1`: the function that turns version 1 into version 2.
pub(crate) struct Upcast {
    pub(crate) from: LitInt,
    pub(crate) with: Path,
}

impl Parse for Upcast {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let from = input.parse()?;
        input.parse::<Token![=>]>()?;
        Ok(Self { from, with: input.parse()? })
    }
}

/// Reads them.
pub(crate) fn read(attrs: &[Attribute], problems: &mut Problems) -> EventOptions {
    let mut options = EventOptions::default();
    let expected = "`name = \"..\"`, `version = n` or `upcast(1 => function)`";
    options::of_helpers(attrs, "event", expected, problems, |meta, problems| {
        if meta.path.is_ident("name") {
            options::value(meta, &mut options.name, problems)
        } else if meta.path.is_ident("version") {
            options::value(meta, &mut options.version, problems)
        } else if meta.path.is_ident("upcast") {
            upcasts(meta, &mut options.upcasts)
        } else {
            Ok(false)
        }
    });
    options
}

fn upcasts(meta: &ParseNestedMeta<'_>, list: &mut Vec<Upcast>) -> syn::Result<bool> {
    let content;
    parenthesized!(content in meta.input);
    list.extend(Punctuated::<Upcast, Token![,]>::parse_terminated(&content)?);
    Ok(true)
}
