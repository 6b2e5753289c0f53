//! The derives and attributes of rillflow; use them through the `rillflow` crate, which documents them.
//!
//! Each goes through three steps: `attrs` reads attributes into plain values with spans, `model` checks them and holds
//! every refusal, `expand` writes the code and cannot fail.

mod attrs;
mod expand;
mod model;

use proc_macro::TokenStream;

/// See `rillflow::Document`.
#[proc_macro_derive(Document, attributes(document))]
pub fn document(item: TokenStream) -> TokenStream {
    expand::document::document(item.into()).into()
}

/// See `rillflow::DocumentFields`.
#[proc_macro_derive(DocumentFields, attributes(document))]
pub fn document_fields(item: TokenStream) -> TokenStream {
    expand::document::fields(item.into()).into()
}

/// See `rillflow::DocumentValue`.
#[proc_macro_derive(DocumentValue)]
pub fn document_value(item: TokenStream) -> TokenStream {
    expand::value::value(item.into()).into()
}

/// See `rillflow::compiled_query`.
#[proc_macro_attribute]
pub fn compiled_query(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand::query::query(attr.into(), item.into()).into()
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
