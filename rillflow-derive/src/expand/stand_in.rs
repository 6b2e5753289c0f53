//! What stands in for code that could not be written, so that one mistake does not become many errors elsewhere.
//!
//! None of it ever runs: a `compile_error!` is always beside it.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::Type;

/// An event set that has every event.
pub(crate) fn events(set: &Ident) -> TokenStream {
    let (keys, apply, apply_sql) = (route_keys(), route_apply(), route_sql());
    let (lookups, all_lookups) = (route_lookups(), route_all_lookups());
    quote! {
        #[automatically_derived]
        impl ::rillflow::__private::EventSet for #set {
            const TYPES: &'static [::rillflow::__private::EventType] = &[];
            fn event_type(&self) -> ::rillflow::__private::EventType {
                loop {}
            }
            fn encode(&self) -> ::core::result::Result<::std::string::String, ::rillflow::__private::serde_json::Error> {
                loop {}
            }
            fn decode(_: &str, _: i32, _: &[u8]) -> ::rillflow::__private::Result<::core::option::Option<Self>> {
                loop {}
            }
        }
        #[automatically_derived]
        impl<__E> ::rillflow::__private::HasEvent<__E> for #set {
            const TYPE: ::rillflow::__private::EventType =
                ::rillflow::__private::EventType { name: "", version: 0 };
        }
        #[automatically_derived]
        impl<__A> ::rillflow::__private::Dispatch<__A> for #set {
            fn dispatch(&self, _: &mut __A) {}
        }
        #[automatically_derived]
        impl<__P: ::rillflow::__private::DocumentProjection> ::rillflow::__private::Route<__P> for #set {
            #keys { let _ = (at, push); }
            #lookups { let _ = (at, lookups); ::std::vec::Vec::new() }
            #all_lookups { let _ = lookups; }
            #apply { let _ = (doc, at, found); ::core::result::Result::Ok(::rillflow::__private::DocumentOutcome::Keep) }
        }
        #[automatically_derived]
        impl<__P: ::rillflow::__private::SqlProjection> ::rillflow::__private::RouteSql<__P> for #set {
            #apply_sql { let _ = (at, tx); ::core::result::Result::Ok(()) }
        }
    }
}

/// An aggregate of unknown events.
pub(crate) fn aggregate(ident: &Ident) -> TokenStream {
    let set = quote::format_ident!("UnknownEvents");
    let events = events(&set);
    quote! {
        const _: () = {
            pub enum #set {}
            #events
            #[automatically_derived]
            impl ::rillflow::__private::Aggregate for #ident {
                type Event = #set;
                const STREAM: &'static str = "";
                fn apply(&mut self, _: &#set) {}
            }
        };
    }
}

/// An aggregate's handlers for every event.
pub(crate) fn handlers(aggregate: &Type, ignored: &[Type]) -> TokenStream {
    let uses = uses(ignored);
    quote! {
        #uses
        impl<__E> ::rillflow::__private::Apply<__E> for #aggregate {
            fn apply_event(&mut self, _: &__E) {}
        }
    }
}

/// Names each type, so that its import counts as used.
pub(crate) fn uses(types: &[Type]) -> TokenStream {
    quote!(#(const _: ::core::marker::PhantomData<#types> = ::core::marker::PhantomData;)*)
}

/// The signature of `Route<__P>::keys`.
pub(crate) fn route_keys() -> TokenStream {
    quote! {
        fn keys(
            &self,
            at: &::rillflow::__private::EventEnvelope,
            push: &mut dyn ::core::ops::FnMut(
                <<__P as ::rillflow::__private::DocumentProjection>::Document
                    as ::rillflow::__private::Document>::Id,
            ),
        )
    }
}

/// The signature of `Route<__P>::lookups`.
pub(crate) fn route_lookups() -> TokenStream {
    quote! {
        fn lookups(
            &self,
            at: &::rillflow::__private::EventEnvelope,
            lookups: &mut ::rillflow::__private::Lookups,
        ) -> ::std::vec::Vec<(usize, ::std::vec::Vec<::rillflow::__private::IdValue>)>
    }
}

/// The signature of `Route<__P>::all_lookups`.
pub(crate) fn route_all_lookups() -> TokenStream {
    quote!(fn all_lookups(lookups: &mut ::rillflow::__private::Lookups))
}

/// The signature of `Route<__P>::apply`.
pub(crate) fn route_apply() -> TokenStream {
    quote! {
        fn apply(
            &self,
            doc: &mut <__P as ::rillflow::__private::DocumentProjection>::Document,
            at: &::rillflow::__private::EventEnvelope,
            found: ::rillflow::__private::Found<'_>,
        ) -> ::core::result::Result<::rillflow::__private::DocumentOutcome, ::rillflow::__private::BoxError>
    }
}

/// The signature of `RouteSql<__P>::apply_sql`.
pub(crate) fn route_sql() -> TokenStream {
    quote! {
        async fn apply_sql(
            &self,
            at: &::rillflow::__private::EventEnvelope,
            tx: &mut ::rillflow::__private::Transaction<'_, ::rillflow::__private::Postgres>,
        ) -> ::core::result::Result<(), ::rillflow::__private::BoxError>
    }
}
