//! Blocks in which a closure's variable stands for a document's paths.

use proc_macro2::{Delimiter, Group, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Expr, Path};

use super::operands::Values;
use crate::model::columns::{Closure, map_key};
use crate::model::query::ends;

/// `{ let c = paths; body }`, underlined as `about` in messages.
pub(crate) fn with_paths(
    values: &Values<'_>,
    document: &Path,
    closure: &Closure,
    about: &Expr,
    body: &TokenStream,
) -> TokenStream {
    let variable = &closure.variable;
    let group = closure.group.as_ref().map(|group| {
        quote! {
            #[allow(unused_variables)]
            let #group = ::rillflow::__private::Group::<#document>::NEW;
        }
    });
    let keys = values.map_keys.iter().enumerate().map(|(at, key)| {
        let (name, value) = (map_key(at, key), values.value(key));
        quote! {
            #[allow(unused_variables)]
            let #name = #value;
        }
    });
    let unused = group.as_ref().map(|_| quote!(#[allow(unused_variables)]));
    let mut block = Group::new(
        Delimiter::Brace,
        quote! {
            #unused
            let #variable = <#document as ::rillflow::__private::Document>::PATHS;
            #group
            #(#keys)*
            #body
        },
    );
    block.set_span(ends(about).1);
    quote!(#block)
}

/// A reference to a block, underlined from the first to the last token of `about`.
pub(crate) fn reference(about: &Expr, block: &TokenStream) -> TokenStream {
    let (first, _) = ends(about);
    quote_spanned!(first=> &#block)
}
