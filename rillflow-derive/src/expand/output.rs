//! What the rows of a compiled query hold, and how they become its result.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ExprStruct, Member};

use super::paths::{reference, with_paths};
use crate::model::query::{CompiledQuery, Ending, Selection};
use crate::model::quoted;

/// What a row holds, and the function that reads the rows: it is what ties the result's type to the query.
pub(crate) fn output(query: &CompiledQuery) -> (TokenStream, TokenStream) {
    let (document, span) = (&query.document, query.result.span());
    let reader = |name: &str| Ident::new(name, span);
    let one = query.steps.ending == Ending::One;
    match (query.steps.ending, &query.steps.select) {
        (Ending::Count, _) => (quote!(::rillflow::__private::Output::Count), decode(&reader("count"), None, query)),
        (Ending::Exists, _) => {
            (quote!(::rillflow::__private::Output::Exists), decode(&reader("existence"), None, query))
        }
        (_, None) => {
            let name = reader(if one { "at_most_one" } else { "many" });
            (quote!(::rillflow::__private::Output::Document), decode(&name, Some(quote!(#document)), query))
        }
        (_, Some((variable, Selection::Fields(fields)))) => {
            let selection = reference(fields, &with_paths(query, variable, fields, &quote!(#fields)));
            let name = reader(if one { "at_most_one_selected" } else { "many_selected" });
            let result = &query.result;
            let decode = quote_spanned! {span=> ::rillflow::__private::#name::<_, #result>(#selection) };
            (quote!(::rillflow::__private::output_of(#selection)), decode)
        }
        (_, Some((variable, Selection::Struct(row)))) => {
            let name = reader(if one { "at_most_one" } else { "many" });
            (object(query, variable, row), row_check(query, variable, row, &name))
        }
    }
}

fn decode(function: &Ident, row: Option<TokenStream>, query: &CompiledQuery) -> TokenStream {
    let result = &query.result;
    let row = row.map(|row| quote!(#row,));
    quote_spanned! {function.span()=> ::rillflow::__private::#function::<#row #result>() }
}

/// `jsonb_build_object('email', doc->'email', ..)`
fn object(query: &CompiledQuery, variable: &Ident, row: &ExprStruct) -> TokenStream {
    let fields = row.fields.iter().map(|field| {
        let name = match &field.member {
            Member::Named(name) => quoted(&syn::ext::IdentExt::unraw(name).to_string()),
            Member::Unnamed(_) => String::new(),
        };
        let path = &field.expr;
        quote!((#name, ::rillflow::__private::field_of(#path)))
    });
    let fields = with_paths(query, variable, &query.body, &quote!([#(#fields),*]));
    quote!(::rillflow::__private::Output::Object(&#fields))
}

/// A function that is never called checks the types of the row's fields.
fn row_check(query: &CompiledQuery, variable: &Ident, row: &ExprStruct, name: &Ident) -> TokenStream {
    let ty = &row.path;
    let fields = row.fields.iter().map(|field| {
        let (member, path) = (&field.member, &field.expr);
        let value = quote_spanned! {path.span()=> ::rillflow::__private::value_of(#path) };
        quote!(#member: #value)
    });
    let row = with_paths(query, variable, &query.body, &quote!(#ty { #(#fields),* }));
    let decode = decode(name, Some(quote!(#ty)), query);
    quote! {{
        #[allow(dead_code)]
        fn __row() -> #ty #row
        #decode
    }}
}
