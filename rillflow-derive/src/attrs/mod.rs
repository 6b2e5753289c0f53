//! Step 1: attributes into plain values with spans. Every mistake is gathered, none stops the reading.

pub(crate) mod aggregate;
pub(crate) mod document;
pub(crate) mod event;
pub(crate) mod index;
pub(crate) mod options;
pub(crate) mod problems;
pub(crate) mod projection;
pub(crate) mod query;
pub(crate) mod serde;
pub(crate) mod split;
pub(crate) mod tags;

use syn::meta::ParseNestedMeta;
use syn::parse::Parse;

/// The value of `option = value`.
pub(crate) fn value<T: Parse>(meta: &ParseNestedMeta<'_>) -> syn::Result<T> {
    meta.value()?.parse()
}

/// Passes over whatever follows the name of an option that nobody asks for.
pub(crate) fn pass_over(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(syn::Token![=]) {
        value::<syn::Expr>(meta)?;
    } else if meta.input.peek(syn::token::Paren) {
        let content;
        syn::parenthesized!(content in meta.input);
        content.parse::<proc_macro2::TokenStream>()?;
    }
    Ok(())
}
