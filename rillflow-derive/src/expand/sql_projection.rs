//! `#[projection]` with async handlers: the projection, and what it does with each event.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{ItemImpl, Type};

use super::projection::{moved, respan, split};
use crate::attrs::options::span_of;
use crate::model::sql_projection::{Reset, SqlHandler, SqlProjection};

pub(super) fn expand(projection: &SqlProjection) -> TokenStream {
    let SqlProjection { events, handlers, ignored, .. } = projection;
    let types = handlers.iter().map(|SqlHandler { event, cfgs, .. }| {
        // the set is named at the event: that is where a foreign event is reported
        let set = respan(events, event);
        quote_spanned!(span_of(event)=> #(#cfgs)* <#set as ::rillflow::__private::HasEvent<#event>>::TYPES)
    });
    let sql_projection = sql_projection(projection, quote!(::rillflow::__private::event_types!(#(#types),*)));
    let on = handlers.iter().map(|handler| on(projection, handler));
    let ignores = ignored.iter().map(|event| ignore(projection, event));
    quote!(#sql_projection #(#on)* #(#ignores)*)
}

fn sql_projection(projection: &SqlProjection, types: TokenStream) -> TokenStream {
    let SqlProjection { projection: me, name, version, events, on_failure, shards, reset, .. } = projection;
    let shards = split(*shards);
    let on_failure = Ident::new(on_failure, Span::call_site());
    let reset = reset.as_ref().map(|Reset { ident, returns }| {
        let call = outcome(quote!(Self::#ident(tx)), returns.as_ref());
        quote! {
            async fn reset(
                tx: &mut ::rillflow::__private::Transaction<'_, ::rillflow::__private::Postgres>,
            ) -> ::core::result::Result<(), ::rillflow::__private::BoxError> {
                #call
            }
        }
    });
    quote! {
        impl ::rillflow::__private::SqlProjection for #me {
            type Events = #events;
            const NAME: &'static str = #name;
            const VERSION: i32 = #version;
            const TYPES: &'static [::rillflow::__private::EventType] = #types;
            const ON_FAILURE: ::rillflow::__private::OnFailure = ::rillflow::__private::OnFailure::#on_failure;
            #shards
            #reset
        }
    }
}

fn on(projection: &SqlProjection, handler: &SqlHandler) -> TokenStream {
    let SqlHandler { ident, event, takes_envelope, returns, cfgs } = handler;
    let me = &projection.projection;
    let span = returns.as_ref().map_or_else(|| span_of(event), span_of);
    let (name, envelope) = (moved(ident, span), takes_envelope.then(|| quote_spanned!(span=> , at)));
    let call = outcome(quote_spanned!(span=> Self::#name(tx, event #envelope)), returns.as_ref());
    let apply = signature(event);
    quote_spanned! {span_of(event)=>
        #(#cfgs)*
        impl ::rillflow::__private::OnSql<#event> for #me {
            #apply { let _ = at; #call }
        }
    }
}

/// Waits for a call, and has its error as the runtime takes it.
fn outcome(call: TokenStream, returns: Option<&Type>) -> TokenStream {
    match returns {
        Some(returns) => {
            let span = span_of(returns);
            quote_spanned!(span=> ::rillflow::__private::IntoHandled::into_handled(#call.await))
        }
        None => quote!(#call.await; ::core::result::Result::Ok(())),
    }
}

fn signature(event: &impl ToTokens) -> TokenStream {
    quote! {
        async fn apply(
            event: &#event,
            at: &::rillflow::__private::EventEnvelope,
            tx: &mut ::rillflow::__private::Transaction<'_, ::rillflow::__private::Postgres>,
        ) -> ::core::result::Result<(), ::rillflow::__private::BoxError>
    }
}

fn ignore(projection: &SqlProjection, event: &Type) -> TokenStream {
    let SqlProjection { projection: me, events, .. } = projection;
    let (apply, set) = (signature(event), respan(events, event));
    quote_spanned! {span_of(event)=>
        impl ::rillflow::__private::OnSql<#event> for #me {
            #apply {
                let _ = (event, at, tx, <#set as ::rillflow::__private::HasEvent<#event>>::TYPE);
                ::core::result::Result::Ok(())
            }
        }
    }
}

/// A projection that handles every event.
pub(super) fn stand_in(projection: &SqlProjection, item: &ItemImpl) -> TokenStream {
    if !item.generics.params.is_empty() || item.trait_.is_some() {
        return TokenStream::new();
    }
    let uses = super::stand_in::uses(&projection.ignored);
    let me = &projection.projection;
    let without_reset = SqlProjection {
        projection: me.clone(),
        name: projection.name.clone(),
        version: projection.version,
        on_failure: projection.on_failure,
        shards: None,
        events: projection.events.clone(),
        handlers: Vec::new(),
        reset: None,
        ignored: Vec::new(),
    };
    let sql_projection = sql_projection(&without_reset, quote!(&[]));
    quote! {
        #uses
        #sql_projection
        impl<__E: ::core::marker::Sync> ::rillflow::__private::OnSql<__E> for #me {
            async fn apply(
                event: &__E,
                at: &::rillflow::__private::EventEnvelope,
                tx: &mut ::rillflow::__private::Transaction<'_, ::rillflow::__private::Postgres>,
            ) -> ::core::result::Result<(), ::rillflow::__private::BoxError> {
                let _ = (event, at, tx);
                ::core::result::Result::Ok(())
            }
        }
    }
}
