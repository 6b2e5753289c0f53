//! `#[projection]`: the impl without its marks, the projection, and what it does with each event.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ItemImpl, Type};

use crate::attrs::options::span_of;
use crate::attrs::problems::Problems;
use crate::model::functions::impl_of;
use crate::model::projection::{Handler, Key, Projection, check};

/// The impl with the projection, or with the mistakes and a stand-in.
pub(crate) fn projection(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    let Some(mut parsed) = impl_of(item.clone(), "#[projection(..)]", &mut problems) else {
        let problems = problems.into_tokens();
        return quote!(#item #problems);
    };
    let code = check(attr, &mut parsed, &mut problems).map(|projection| match problems.is_empty() {
        true => expand(&projection),
        false => stand_in(&projection, &parsed),
    });
    let problems = problems.into_tokens();
    quote!(#parsed #problems #code)
}

fn expand(projection: &Projection) -> TokenStream {
    let Projection { events, handlers, ignored, .. } = projection;
    let types = handlers.iter().map(|Handler { event, cfgs, .. }| {
        // the set is named at the event: that is where a foreign event is reported
        let set = respan(events, event);
        quote_spanned!(span_of(event)=> #(#cfgs)* <#set as ::rillflow::__private::HasEvent<#event>>::TYPE)
    });
    let document_projection = document_projection(projection, quote!(&[#(#types),*]));
    let on = handlers.iter().map(|handler| on(projection, handler));
    let ignores = ignored.iter().map(|event| ignore(projection, event));
    quote!(#document_projection #(#on)* #(#ignores)*)
}

fn document_projection(projection: &Projection, types: TokenStream) -> TokenStream {
    let Projection { projection, name, version, events, document, .. } = projection;
    quote! {
        impl ::rillflow::__private::DocumentProjection for #projection {
            type Events = #events;
            type Document = #document;
            const NAME: &'static str = #name;
            const VERSION: i32 = #version;
            const TYPES: &'static [::rillflow::__private::EventType] = #types;
        }
    }
}

fn on(projection: &Projection, handler: &Handler) -> TokenStream {
    let Projection { projection, document, .. } = projection;
    let Handler { event, cfgs, .. } = handler;
    let (keys, apply) = (keys(handler), apply(handler));
    let (push, event_type) = (push_type(document), event);
    quote_spanned! {span_of(event)=>
        #(#cfgs)*
        impl ::rillflow::__private::On<#event_type> for #projection {
            fn keys(event: &#event_type, at: &::rillflow::__private::EventEnvelope, push: #push) {
                #keys
            }

            fn apply(
                doc: &mut #document,
                event: &#event_type,
                at: &::rillflow::__private::EventEnvelope,
            ) -> ::core::result::Result<(), ::rillflow::__private::BoxError> {
                #apply
            }
        }
    }
}

/// The body of `On::keys`. Mistakes of type are reported at the key's result.
fn keys(handler: &Handler) -> TokenStream {
    let (event, at, push) = (quote!(event), quote!(at), quote!(push));
    let spare = quote!(let _ = (#event, #at););
    match &handler.key {
        Key::Stream(span) => quote_spanned! {*span=>
            #spare
            #push(::core::convert::From::from(at.stream_id.0));
        },
        Key::Function(key) => {
            let name = &key.ident;
            let envelope = key.takes_envelope.then(|| quote!(, #at));
            quote_spanned! {span_of(&key.returns)=>
                #spare
                ::rillflow::__private::IntoKeys::push_keys(Self::#name(event #envelope), push);
            }
        }
    }
}

/// The body of `On::apply`. Mistakes of type are reported at the handler's parameters and result.
fn apply(handler: &Handler) -> TokenStream {
    let Handler { ident, doc, returns, takes_envelope, .. } = handler;
    let doc = quote_spanned!(span_of(doc)=> doc);
    let envelope = takes_envelope.then(|| quote!(, at));
    let call = quote!(Self::#ident(#doc, event #envelope));
    let outcome = match returns {
        Some(ty) => quote_spanned!(span_of(ty)=> ::rillflow::__private::IntoOutcome::into_outcome(#call)),
        None => quote!(#call; ::core::result::Result::Ok(())),
    };
    quote!(let _ = at; #outcome)
}

fn ignore(projection: &Projection, event: &Type) -> TokenStream {
    let Projection { projection, events, document, .. } = projection;
    let push = push_type(document);
    let set = respan(events, event);
    quote_spanned! {span_of(event)=>
        impl ::rillflow::__private::On<#event> for #projection {
            fn keys(_: &#event, _: &::rillflow::__private::EventEnvelope, _: #push) {
                let _ = <#set as ::rillflow::__private::HasEvent<#event>>::TYPE;
            }

            fn apply(
                _: &mut #document,
                _: &#event,
                _: &::rillflow::__private::EventEnvelope,
            ) -> ::core::result::Result<(), ::rillflow::__private::BoxError> {
                ::core::result::Result::Ok(())
            }
        }
    }
}

fn push_type(document: &Type) -> TokenStream {
    quote_spanned! {document.span()=>
        &mut dyn ::core::ops::FnMut(<#document as ::rillflow::__private::Document>::Id)
    }
}

/// A projection that handles every event.
fn stand_in(projection: &Projection, item: &ItemImpl) -> TokenStream {
    if !item.generics.params.is_empty() || item.trait_.is_some() {
        return TokenStream::new();
    }
    let Projection { projection: me, document, .. } = projection;
    let (document_projection, push) = (document_projection(projection, quote!(&[])), push_type(document));
    quote! {
        #document_projection
        impl<__E> ::rillflow::__private::On<__E> for #me {
            fn keys(_: &__E, _: &::rillflow::__private::EventEnvelope, _: #push) {}
            fn apply(
                _: &mut #document,
                _: &__E,
                _: &::rillflow::__private::EventEnvelope,
            ) -> ::core::result::Result<(), ::rillflow::__private::BoxError> {
                ::core::result::Result::Ok(())
            }
        }
    }
}

/// `ty` as if it stood where `place` stands.
fn respan(ty: &Type, place: &Type) -> TokenStream {
    super::respan(quote!(#ty), span_of(place))
}
