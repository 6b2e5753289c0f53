//! The derives and attributes of rillflow; use them through the `rillflow` crate, which documents them.
//!
//! Each goes through three steps: `attrs` reads attributes into plain values with spans, `model` checks them and holds
//! every refusal, `expand` writes the code and cannot fail.

mod attrs;
mod expand;
mod model;

use attrs::problems::Problems;
use proc_macro::TokenStream;

/// The code that `make` writes, and the mistakes it met on the way.
fn derive(make: impl FnOnce(&mut Problems) -> proc_macro2::TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    let mut code = make(&mut problems);
    code.extend(problems.into_tokens());
    code.into()
}

/// See `rillflow::Document`.
#[proc_macro_derive(Document, attributes(document))]
pub fn document(item: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(item as syn::DeriveInput);
    derive(|problems| {
        let document = model::document::check(&input, problems);
        document.map_or_else(|| expand::document::refused(&input), |document| expand::document::document(&document))
    })
}

/// See `rillflow::DocumentFields`.
#[proc_macro_derive(DocumentFields, attributes(document))]
pub fn document_fields(item: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(item as syn::DeriveInput);
    derive(|problems| {
        let fields = model::document::check_nested(&input, problems);
        fields.map(|fields| expand::document::nested(&fields)).unwrap_or_default()
    })
}

/// See `rillflow::DocumentValue`.
#[proc_macro_derive(DocumentValue)]
pub fn document_value(item: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(item as syn::DeriveInput);
    derive(|problems| {
        let value = model::value::check(&input, problems);
        value.map(|value| expand::value::value(&value)).unwrap_or_default()
    })
}

/// See `rillflow::compiled_query`.
#[proc_macro_attribute]
pub fn compiled_query(attr: TokenStream, item: TokenStream) -> TokenStream {
    let function = syn::parse_macro_input!(item as syn::ItemFn);
    derive(|problems| {
        let query = model::query::check(attr.into(), &function, problems);
        match query.filter(|_| problems.is_empty()) {
            Some(query) => expand::query::query(&query, &function),
            None => expand::query::refused(&function),
        }
    })
}

/// See `rillflow::Event`.
#[proc_macro_derive(Event, attributes(event))]
pub fn event(item: TokenStream) -> TokenStream {
    expand::event::event(item.into()).into()
}

/// See `rillflow::Aggregate`.
#[proc_macro_derive(Aggregate, attributes(aggregate))]
pub fn aggregate(item: TokenStream) -> TokenStream {
    expand::aggregate::aggregate(item.into()).into()
}

/// See `rillflow::handlers`.
#[proc_macro_attribute]
pub fn handlers(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand::handlers::handlers(attr.into(), item.into()).into()
}

/// See `rillflow::projection`.
#[proc_macro_attribute]
pub fn projection(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand::projection::projection(attr.into(), item.into()).into()
}
