//! Comma-separated options: what the attributes of events, aggregates and projections have in common.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, LitInt, Token, Type, parenthesized};

use super::problems::Problems;

/// Reads the options of an attribute macro: `read` returns false for one that it does not know.
pub(crate) fn of_macro(
    attr: TokenStream,
    expected: &str,
    problems: &mut Problems,
    mut read: impl FnMut(&ParseNestedMeta<'_>, &mut Problems) -> syn::Result<bool>,
) {
    let result = syn::meta::parser(|meta| one(&meta, expected, problems, &mut read)).parse2(attr);
    problems.ok(result);
}

/// Reads the options of every `#[<name>(..)]` among `attrs`, as [`of_macro`] does.
pub(crate) fn of_helpers(
    attrs: &[Attribute],
    name: &str,
    expected: &str,
    problems: &mut Problems,
    mut read: impl FnMut(&ParseNestedMeta<'_>, &mut Problems) -> syn::Result<bool>,
) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident(name)) {
        let result = attr.parse_nested_meta(|meta| one(&meta, expected, problems, &mut read));
        problems.ok(result);
    }
}

fn one(
    meta: &ParseNestedMeta<'_>,
    expected: &str,
    problems: &mut Problems,
    read: &mut impl FnMut(&ParseNestedMeta<'_>, &mut Problems) -> syn::Result<bool>,
) -> syn::Result<()> {
    if !read(meta, problems)? {
        let name = meta.path.segments.iter().map(|s| s.ident.to_string()).collect::<Vec<_>>().join("::");
        problems.at(meta.path.span(), format_args!("unknown option `{name}`: expected {expected}"));
        skip(meta.input)?;
    }
    Ok(())
}

/// Goes on to the next comma.
fn skip(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// Reads `= value` into `slot`, once.
pub(crate) fn value<T: Parse>(
    meta: &ParseNestedMeta<'_>,
    slot: &mut Option<T>,
    problems: &mut Problems,
) -> syn::Result<bool> {
    if slot.replace(meta.value()?.parse()?).is_some() {
        problems.at(meta.path.span(), "this option is given twice: keep one");
    }
    Ok(true)
}

/// Reads `(A, b::B)`: a list of payload types.
pub(crate) fn types(meta: &ParseNestedMeta<'_>, list: &mut Vec<Type>) -> syn::Result<bool> {
    let content;
    parenthesized!(content in meta.input);
    list.extend(Punctuated::<Type, Token![,]>::parse_terminated(&content)?);
    Ok(true)
}

/// A version as a number from 1; what is not one is noted and read as 1.
pub(crate) fn version(given: Option<&LitInt>, problems: &mut Problems) -> i32 {
    let Some(lit) = given else { return 1 };
    match lit.base10_parse::<i32>() {
        Ok(version) if version >= 1 => version,
        _ => {
            problems.at(lit.span(), "a version is a whole number from 1");
            1
        }
    }
}

/// The part of a type that an error underlines: the last name of its path.
pub(crate) fn span_of(ty: &Type) -> Span {
    match ty {
        Type::Path(path) => path.path.segments.last().map_or_else(|| ty.span(), |segment| segment.ident.span()),
        other => other.span(),
    }
}
