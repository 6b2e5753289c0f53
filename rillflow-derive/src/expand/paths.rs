//! Blocks in which a closure's variable stands for a document's paths.

use proc_macro2::{Delimiter, Group, Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::Expr;

use crate::model::query::{CompiledQuery, ends};

/// `{ let c = paths; body }`, underlined as `about` in messages.
pub(crate) fn with_paths(query: &CompiledQuery, variable: &Ident, about: &Expr, body: &TokenStream) -> TokenStream {
    let document = &query.document;
    let paths = quote!(let #variable = <#document as ::rillflow::__private::Document>::PATHS;);
    let mut block = Group::new(Delimiter::Brace, quote!(#paths #body));
    block.set_span(ends(about).1);
    quote!(#block)
}

/// A reference to a block, underlined from the first to the last token of `about`.
pub(crate) fn reference(about: &Expr, block: &TokenStream) -> TokenStream {
    let (first, _) = ends(about);
    quote_spanned!(first=> &#block)
}
