//! `#[compiled_query]`: the statement and its checks as consts, the function as what binds its arguments.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{ItemFn, ReturnType, Type, TypeParamBound};

use super::checks::checks;
use super::condition::condition;
use super::editor;
use super::operands::{Values, literal_type};
use super::output::output;
use super::paths::{reference, with_paths};
use crate::model::columns::Closure;
use crate::model::condition::Condition;
use crate::model::literal::Value;
use crate::model::query::{CompiledQuery, ends, result_of};
use crate::model::steps::{Deleted, Ending};

/// The function, with a body that hands over text and arguments.
pub(crate) fn query(query: &CompiledQuery, function: &ItemFn) -> TokenStream {
    let values = Values::of(query);
    let literals = query.literals.iter().enumerate().map(|(at, literal)| literal_type(at, literal));
    let statement = statement(query, &values);
    let checks = checks(query, function);
    let binds = values.binds();
    let name = function.sig.ident.unraw().to_string();
    let result = &query.result;
    let (cursor, next) = next_page(query, &values);
    with_body(
        function,
        &quote! {
            #(#literals)*
            #statement
            #checks
            #cursor
            #binds
            ::rillflow::__private::Compiled::<#result>::new(
                #name,
                ::rillflow::__private::sql_text!(::rillflow::__private::Source::Statement(&__STATEMENT)),
                __binds,
                __DECODE,
            )
            #next
        },
    )
}

/// The cursor of a page, taken before the arguments are, and the text that goes on after it.
fn next_page(query: &CompiledQuery, values: &Values<'_>) -> (TokenStream, TokenStream) {
    let Ending::Page(after, _) = &query.steps.ending else {
        return (TokenStream::new(), TokenStream::new());
    };
    let number = values.last_number() + 1;
    let cursor = quote_spanned!(after.span()=> ::rillflow::__private::After::cursor(&#after));
    let next = quote! {
        .after(
            __after,
            {
                const __NEXT: ::rillflow::__private::Statement = ::rillflow::__private::Statement {
                    take: ::rillflow::__private::Take::Page(::core::option::Option::Some(
                        ::rillflow::__private::Operand::Numbered(
                            #number,
                            ::rillflow::__private::SqlType::Json,
                            ::rillflow::__private::Arity::One,
                        ),
                    )),
                    ..__STATEMENT
                };
                ::rillflow::__private::sql_text!(::rillflow::__private::Source::Statement(&__NEXT))
            },
            &__STATEMENT,
        )
    };
    (quote!(let __after = #cursor;), next)
}

/// The function with its signature only: what a refused query leaves, so that its callers still compile.
pub(crate) fn refused(query: Option<&CompiledQuery>, function: &ItemFn) -> TokenStream {
    // their imports are used, whatever else is wrong
    let documents = query.into_iter().flat_map(|query| {
        std::iter::once(&query.document).chain(query.steps.related.iter().map(|related| &related.document))
    });
    let used = quote!(#(let _ = ::core::marker::PhantomData::<#documents>;)*);
    let body = match (result_of(&function.sig), &function.sig.output) {
        (Some(result), _) => quote!(::rillflow::__private::Compiled::<#result>::refused()),
        (None, ReturnType::Default) => quote!(),
        (None, ReturnType::Type(_, ty)) if matches!(**ty, Type::ImplTrait(_)) => return TokenStream::new(),
        _ => quote!(::core::unreachable!()),
    };
    let (attrs, vis, mut sig) = (&function.attrs, &function.vis, function.sig.clone());
    // it was said already that it cannot be
    (sig.constness, sig.asyncness) = (None, None);
    let chain = editor::chain(function);
    quote! { #[allow(unused_variables)] #(#attrs)* #vis #sig { #chain #used #body } }
}

fn with_body(function: &ItemFn, body: &TokenStream) -> TokenStream {
    let (attrs, vis) = (&function.attrs, &function.vis);
    let mut sig = function.sig.clone();
    // the query owns its arguments: it borrows nothing from the caller
    if let ReturnType::Type(_, ty) = &mut sig.output
        && let Type::ImplTrait(opaque) = &mut **ty
        && !opaque.bounds.iter().any(|bound| matches!(bound, TypeParamBound::PreciseCapture(_)))
    {
        // so it outlives whatever it is said to
        let bounds = opaque.bounds.iter().filter(|bound| !matches!(bound, TypeParamBound::Lifetime(_)));
        opaque.bounds = bounds.cloned().collect();
        opaque.bounds.push(syn::parse_quote!(use<>));
    }
    let chain = editor::chain(function);
    quote! { #(#attrs)* #vis #sig { #chain #body } }
}

/// `__STATEMENT`, and `__DECODE` for its rows.
fn statement(query: &CompiledQuery, values: &Values<'_>) -> TokenStream {
    let document = &query.document;
    let filter = all(&query.steps.filters, query, values);
    let (related, rows_of) = (related(query, values), rows_of(query, values));
    let order = order(query, values);
    let (limit, offset) = (rows(query.steps.limit.as_ref(), values), rows(query.steps.offset.as_ref(), values));
    let (output, decode) = output(query, values);
    let (take, size) = take(query, values);
    let limit = size.unwrap_or(limit);
    let deleted = match query.steps.deleted {
        Deleted::Hidden => quote!(Hidden),
        Deleted::Included => quote!(Included),
        Deleted::Only => quote!(Only),
    };
    let result = &query.result;
    quote! {
        const __STATEMENT: ::rillflow::__private::Statement = ::rillflow::__private::Statement {
            table: <#document as ::rillflow::__private::Document>::COLLECTION.table,
            id_type: <#document as ::rillflow::__private::Document>::COLLECTION.id_type,
            output: #output,
            related: #related,
            filter: #filter,
            rows: ::rillflow::__private::Rows::#rows_of,
            order: #order,
            limit: #limit,
            offset: #offset,
            take: ::rillflow::__private::Take::#take,
            deleted: ::rillflow::__private::Deleted::#deleted,
        };
        const __DECODE: ::rillflow::__private::Decode<#result> = #decode;
    }
}

/// Which rows, and the size of a page.
fn take(query: &CompiledQuery, values: &Values<'_>) -> (TokenStream, Option<TokenStream>) {
    match &query.steps.ending {
        Ending::One => (quote!(One), None),
        Ending::First => (quote!(First), None),
        Ending::Page(_, size) => (quote!(Page(::core::option::Option::None)), Some(rows(Some(size), values))),
        Ending::NumberedPage(page, size) => {
            let page = row_count(page, values);
            (quote!(NumberedPage(#page)), Some(rows(Some(size), values)))
        }
        Ending::Many | Ending::Count | Ending::Exists | Ending::Aggregate(..) => (quote!(All), None),
    }
}

/// Conditions of the same closures, which must all hold.
fn all(conditions: &[(Closure, Condition)], query: &CompiledQuery, values: &Values<'_>) -> TokenStream {
    let filters = conditions
        .iter()
        .map(|(closure, tree)| with_paths(values, &query.document, closure, &closure.body, &condition(tree, values)));
    let Some(all) = filters.reduce(|all, next| quote!(::rillflow::__private::and(#all, #next))) else {
        return quote!(&::rillflow::__private::Node::Everything);
    };
    quote!(::rillflow::__private::node_of(&#all))
}

/// What a row stands for.
fn rows_of(query: &CompiledQuery, values: &Values<'_>) -> TokenStream {
    let Some(closure) = &query.steps.group else {
        return if query.steps.distinct.is_some() { quote!(Distinct) } else { quote!(Each) };
    };
    let keys = &closure.body;
    let paths = reference(keys, &with_paths(values, &query.document, closure, keys, &quote!(#keys)));
    let keys = quote!(::rillflow::__private::groups(#paths));
    let having = all(&query.steps.having, query, values);
    quote!(Groups(#keys, #having))
}

/// The documents beside each one found.
fn related(query: &CompiledQuery, values: &Values<'_>) -> TokenStream {
    let related = query.steps.related.iter().map(|related| {
        let (document, other, body) = (&query.document, &related.document, &related.key.body);
        let span = ends(body).1;
        let (holder, call) = if related.many {
            (other, quote_spanned!(span=> ::rillflow::__private::referring::<#document, #other, _>(#body)))
        } else {
            (document, quote_spanned!(span=> ::rillflow::__private::referred::<#other, _>(#body)))
        };
        with_paths(values, holder, &related.key, body, &call)
    });
    quote!(&[#(#related),*])
}

fn order(query: &CompiledQuery, values: &Values<'_>) -> TokenStream {
    let Some(closure) = &query.steps.order else {
        return quote!(&[]);
    };
    let keys = &closure.body;
    let body = reference(keys, &with_paths(values, &query.document, closure, keys, &quote!(#keys)));
    quote!(::rillflow::__private::keys_of(#body))
}

fn rows(value: Option<&Value>, values: &Values<'_>) -> TokenStream {
    match value {
        Some(value) => {
            let rows = row_count(value, values);
            quote!(::core::option::Option::Some(#rows))
        }
        None => quote!(::core::option::Option::None),
    }
}

fn row_count(value: &Value, values: &Values<'_>) -> TokenStream {
    let (span, value) = (value.span(), values.value(value));
    let value = quote_spanned!(span=> &#value);
    quote!(::rillflow::__private::rows_operand(#value))
}
