//! The index coverage of a compiled query, as const assertions.

use proc_macro2::{Delimiter, Group, Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Expr, ItemFn};

use crate::model::query::{CompiledQuery, ends, last_name};
use crate::model::steps::Related;

/// The coverage checks, each raised at what it is about.
pub(crate) fn checks(query: &CompiledQuery, function: &ItemFn) -> TokenStream {
    let document = &query.document;
    let name = function.sig.ident.unraw().to_string();
    let type_name = last_name(&query.document);
    let indexes = quote!(<#document as ::rillflow::__private::Document>::INDEXES);
    let sort_allowed = query.allow.sort;
    let mut checks = TokenStream::new();
    let related = query.steps.related.iter().enumerate().filter(|(_, related)| related.many && !query.allow.scan);
    for (at, Related { document, key, .. }) in related {
        let indexes = quote!(<#document as ::rillflow::__private::Document>::INDEXES);
        let type_name = last_name(document);
        checks.extend(check(
            "check_related",
            &key.body,
            quote!(#name, #type_name, &__STATEMENT.related[#at], #indexes),
        ));
    }
    if !query.allow.scan {
        let about = query.steps.filters.last().map_or(&query.body, |(closure, _)| &closure.body);
        let arguments = quote!(#name, #type_name, &__STATEMENT, #indexes, #sort_allowed);
        checks.extend(check("check_filter", about, arguments));
    }
    if let (false, false, Some(keys)) = (query.allow.scan, query.allow.sort, &query.steps.order) {
        checks.extend(check("check_order", &keys.body, quote!(#name, #type_name, &__STATEMENT, #indexes)));
    }
    if let Some(keys) = &query.steps.order {
        checks.extend(check("check_rank", &keys.body, quote!(__STATEMENT.filter, __STATEMENT.order)));
    }
    if let Some(keys) = &query.steps.group {
        checks.extend(check("check_groups", &keys.body, quote!(#type_name, &__STATEMENT)));
    }
    if query.steps.group.is_some() || query.steps.distinct.is_some() {
        checks.extend(check("check_rows", &query.body, quote!(#name, &__STATEMENT)));
    }
    checks
}

/// A const assertion that is underlined from the first to the last token of `about`: the path of the call has the
/// first token's span, its parentheses have the last one's.
fn check(function: &str, about: &Expr, arguments: TokenStream) -> TokenStream {
    let (first, last) = ends(about);
    let function = Ident::new(function, first);
    let path = quote_spanned!(first=> ::rillflow::__private::#function);
    let mut arguments = Group::new(Delimiter::Parenthesis, arguments);
    arguments.set_span(last);
    quote!(const _: () = #path #arguments;)
}
