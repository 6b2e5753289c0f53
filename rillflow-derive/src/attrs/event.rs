//! `#[event(name = "..", was = "..", version = n, upcast(1 => f, 2 => json g))]` on a variant.

use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, LitInt, LitStr, Path, Token, parenthesized};

use super::options;
use super::problems::Problems;

/// The options of one variant, as written.
#[derive(Default)]
pub(crate) struct EventOptions {
    pub(crate) name: Option<LitStr>,
    /// The names it was stored under before.
    pub(crate) was: Vec<LitStr>,
    pub(crate) version: Option<LitInt>,
    pub(crate) upcasts: Vec<Upcast>,
}

/// `1 => placed_v1`: the step that turns version 1 into version 2.
pub(crate) struct Upcast {
    pub(crate) from: LitInt,
    pub(crate) step: Step,
}

/// `placed_v1` or `json placed_v1`: a function from type to type, or from JSON to JSON.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) json: bool,
    pub(crate) function: Path,
}

impl Parse for Upcast {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let from = input.parse()?;
        input.parse::<Token![=>]>()?;
        Ok(Self { from, step: input.parse()? })
    }
}

impl Parse for Step {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        // `json` alone, or `json::f`, is the path of a function
        let json = input.fork().parse::<Ident>().is_ok_and(|word| word == "json")
            && (input.peek2(syn::Ident)
                || input.peek2(Token![crate])
                || input.peek2(Token![self])
                || input.peek2(Token![super]));
        if json {
            input.parse::<Ident>()?;
        }
        Ok(Self { json, function: input.parse()? })
    }
}

/// Reads them.
pub(crate) fn read(attrs: &[Attribute], problems: &mut Problems) -> EventOptions {
    let mut options = EventOptions::default();
    let expected = "`name = \"..\"`, `was = \"..\"`, `version = n` or `upcast(1 => function)`";
    options::of_helpers(attrs, "event", expected, problems, |meta, problems| {
        if meta.path.is_ident("name") {
            options::value(meta, &mut options.name, problems)
        } else if meta.path.is_ident("was") {
            options.was.push(meta.value()?.parse()?);
            Ok(true)
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
