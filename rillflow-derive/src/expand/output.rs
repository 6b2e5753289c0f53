//! What the rows of a compiled query hold, and how they become its result.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{ExprStruct, Member, Path};

use super::operands::Values;
use super::paths::{reference, with_paths};
use crate::model::columns::Closure;
use crate::model::query::CompiledQuery;
use crate::model::quoted;
use crate::model::steps::{Ending, Related, Selection};

/// What a row holds, and the function that reads the rows: it is what ties the result's type to the query.
pub(crate) fn output(query: &CompiledQuery, values: &Values<'_>) -> (TokenStream, TokenStream) {
    let (document, span) = (&query.document, query.result.span());
    let reader = |name: &str| Ident::new(name, span);
    let rows = match &query.steps.ending {
        Ending::Count => return (quote!(::rillflow::__private::Output::Count), decode(&reader("count"), None, query)),
        Ending::Exists => {
            return (quote!(::rillflow::__private::Output::Exists), decode(&reader("existence"), None, query));
        }
        Ending::Aggregate(method, field) => return aggregate(query, values, method, field),
        Ending::One | Ending::First => "at_most_one",
        Ending::Page(..) => "page",
        Ending::NumberedPage(..) => "numbered_page",
        Ending::Many => "many",
    };
    match &query.steps.select {
        None => {
            let row = row_with_related(document, &query.steps.related);
            (quote!(::rillflow::__private::Output::Document), decode(&reader(rows), Some(row), query))
        }
        Some(Selection::Fields(closure)) => {
            let fields = &closure.body;
            let selection = reference(fields, &with_paths(values, document, closure, fields, &quote!(#fields)));
            let (name, result) = (reader(&format!("{rows}_selected")), &query.result);
            let decode = quote_spanned! {span=> ::rillflow::__private::#name::<_, #result>(#selection) };
            (quote!(::rillflow::__private::output_of(#selection)), decode)
        }
        Some(Selection::Struct(closure, row)) => {
            let made = reader(&format!("{rows}_made"));
            (object(query, values, closure, row), self::row(query, values, closure, row, &made))
        }
    }
}

/// The document alone, or a tuple of it and those beside it.
fn row_with_related(document: &Path, related: &[Related]) -> TokenStream {
    if related.is_empty() {
        return quote!(#document);
    }
    let others = related.iter().map(|Related { document, many, .. }| {
        if *many { quote!(::std::vec::Vec<#document>) } else { quote!(::core::option::Option<#document>) }
    });
    quote!((#document, #(#others),*))
}

/// `max(field)`, and the function that reads it.
fn aggregate(
    query: &CompiledQuery,
    values: &Values<'_>,
    method: &Ident,
    closure: &Closure,
) -> (TokenStream, TokenStream) {
    let (result, field) = (&query.result, &closure.body);
    let checked = quote_spanned!(method.span()=> ::rillflow::__private::#method::<_, #result>(#field));
    let decode = with_paths(values, &query.document, closure, field, &checked);
    let kind = match method.to_string().as_str() {
        "min" => quote!(Min),
        "max" => quote!(Max),
        "sum" => quote!(Sum),
        _ => quote!(Avg),
    };
    // the capabilities of the field are checked above, and said once
    let path = with_paths(values, &query.document, closure, field, &quote!(::rillflow::__private::field_of(#field)));
    let output = quote! {
        ::rillflow::__private::Output::OfAll(::rillflow::__private::Aggregation::#kind, #path)
    };
    (output, decode)
}

fn decode(function: &Ident, row: Option<TokenStream>, query: &CompiledQuery) -> TokenStream {
    let result = &query.result;
    let row = row.map(|row| quote!(#row,));
    quote_spanned! {function.span()=> ::rillflow::__private::#function::<#row #result>() }
}

/// `jsonb_build_object('email', doc->'email', ..)`
fn object(query: &CompiledQuery, values: &Values<'_>, closure: &Closure, row: &ExprStruct) -> TokenStream {
    let fields = row.fields.iter().map(|field| {
        let name = quoted(&name_of(&field.member));
        let path = &field.expr;
        quote!((#name, ::rillflow::__private::field_of(#path)))
    });
    let fields = with_paths(values, &query.document, closure, &query.body, &quote!([#(#fields),*]));
    quote!(::rillflow::__private::Output::Object(&#fields))
}

/// The function that makes rows of the fields' values, and one that is never called, which checks their types.
fn row(query: &CompiledQuery, values: &Values<'_>, closure: &Closure, row: &ExprStruct, name: &Ident) -> TokenStream {
    let (ty, result) = (&row.path, &query.result);
    let checked = row.fields.iter().map(|field| {
        let (member, path) = (&field.member, &field.expr);
        let value = quote_spanned! {path.span()=> ::rillflow::__private::value_of(#path) };
        quote!(#member: #value)
    });
    let checked = with_paths(values, &query.document, closure, &query.body, &quote!(#ty { #(#checked),* }));
    let members: Vec<_> = row.fields.iter().map(|field| &field.member).collect();
    let locals: Vec<_> = (0..members.len()).map(|at| format_ident!("__field{at}")).collect();
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|&at| stored_order(&name_of(members[at])));
    let list = order.iter().rev().fold(quote!(()), |rest, &at| {
        let local = &locals[at];
        quote!((#local, #rest))
    });
    let read = quote_spanned! {name.span()=> ::rillflow::__private::#name::<#ty, _, #result> };
    quote! {{
        #[allow(dead_code)]
        fn __row() -> #ty #checked
        |__query, __rows| #read(__query, __rows, |#list| #ty { #(#members: #locals),* })
    }}
}

/// `jsonb` keeps keys by length, then byte by byte.
fn stored_order(name: &str) -> (usize, Vec<u8>) {
    (name.len(), name.as_bytes().to_vec())
}

fn name_of(member: &Member) -> String {
    match member {
        Member::Named(name) => name.unraw().to_string(),
        Member::Unnamed(index) => index.index.to_string(),
    }
}
