//! What the rows of a compiled query hold, and how they become its result.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprStruct, Member};

use super::paths::{reference, with_paths};
use crate::model::query::CompiledQuery;
use crate::model::quoted;
use crate::model::steps::{Ending, Selection};

/// What a row holds, and the function that reads the rows: it is what ties the result's type to the query.
pub(crate) fn output(query: &CompiledQuery) -> (TokenStream, TokenStream) {
    let (document, span) = (&query.document, query.result.span());
    let reader = |name: &str| Ident::new(name, span);
    let rows = match &query.steps.ending {
        Ending::Count => return (quote!(::rillflow::__private::Output::Count), decode(&reader("count"), None, query)),
        Ending::Exists => {
            return (quote!(::rillflow::__private::Output::Exists), decode(&reader("existence"), None, query));
        }
        Ending::Aggregate(method, variable, field) => return aggregate(query, method, variable, field),
        Ending::One | Ending::First => "at_most_one",
        Ending::Page(..) => "page",
        Ending::NumberedPage(..) => "numbered_page",
        Ending::Many => "many",
    };
    match &query.steps.select {
        None => {
            (quote!(::rillflow::__private::Output::Document), decode(&reader(rows), Some(quote!(#document)), query))
        }
        Some((variable, Selection::Fields(fields))) => {
            let selection = reference(fields, &with_paths(query, variable, fields, &quote!(#fields)));
            let (name, result) = (reader(&format!("{rows}_selected")), &query.result);
            let decode = quote_spanned! {span=> ::rillflow::__private::#name::<_, #result>(#selection) };
            (quote!(::rillflow::__private::output_of(#selection)), decode)
        }
        Some((variable, Selection::Struct(row))) => {
            (object(query, variable, row), row_check(query, variable, row, &reader(rows)))
        }
    }
}

/// `max(field)`, and the function that reads it.
fn aggregate(query: &CompiledQuery, method: &Ident, variable: &Ident, field: &Expr) -> (TokenStream, TokenStream) {
    let result = &query.result;
    let checked = quote_spanned!(method.span()=> ::rillflow::__private::#method::<_, #result>(#field));
    let decode = with_paths(query, variable, field, &checked);
    let kind = match method.to_string().as_str() {
        "min" => quote!(Min),
        "max" => quote!(Max),
        "sum" => quote!(Sum),
        _ => quote!(Avg),
    };
    // the capabilities of the field are checked above, and said once
    let path = with_paths(query, variable, field, &quote!(::rillflow::__private::field_of(#field)));
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
