//! `#[projection]`: the impl without its marks, the projection, and what it does with each event.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ItemImpl, Type};

use super::sql_projection;
use crate::attrs::options::span_of;
use crate::attrs::problems::Problems;
use crate::model::functions::impl_of;
use crate::model::lookups::{Lookup, Parameter};
use crate::model::projection::{Checked, Handler, Key, Projection, check};

/// The impl with the projection, or with the mistakes and a stand-in.
pub(crate) fn projection(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    let Some(mut parsed) = impl_of(item.clone(), "#[projection(..)]", &mut problems) else {
        let problems = problems.into_tokens();
        return quote!(#item #problems);
    };
    let code = check(attr, &mut parsed, &mut problems).map(|checked| match (checked, problems.is_empty()) {
        (Checked::Documents(projection), true) => expand(&projection),
        (Checked::Documents(projection), false) => stand_in(&projection, &parsed),
        (Checked::Sql(projection), true) => sql_projection::expand(&projection),
        (Checked::Sql(projection), false) => sql_projection::stand_in(&projection, &parsed),
    });
    let problems = problems.into_tokens();
    quote!(#parsed #problems #code)
}

fn expand(projection: &Projection) -> TokenStream {
    let Projection { events, handlers, ignored, .. } = projection;
    let types = handlers.iter().map(|(Handler { event, cfgs, .. }, _)| {
        // the set is named at the event: that is where a foreign event is reported
        let set = respan(events, event);
        quote_spanned!(span_of(event)=> #(#cfgs)* <#set as ::rillflow::__private::HasEvent<#event>>::TYPES)
    });
    let document_projection = document_projection(projection, quote!(::rillflow::__private::event_types!(#(#types),*)));
    let on = handlers.iter().map(|(handler, key)| on(projection, handler, key));
    let ignores = ignored.iter().map(|event| ignore(projection, event));
    quote!(#document_projection #(#on)* #(#ignores)*)
}

fn document_projection(projection: &Projection, types: TokenStream) -> TokenStream {
    let Projection { projection, name, version, on_failure, shards, events, document, .. } = projection;
    let on_failure = Ident::new(on_failure, Span::call_site());
    let shards = split(*shards);
    quote! {
        impl ::rillflow::__private::DocumentProjection for #projection {
            type Events = #events;
            type Document = #document;
            const NAME: &'static str = #name;
            const VERSION: i32 = #version;
            const TYPES: &'static [::rillflow::__private::EventType] = #types;
            const ON_FAILURE: ::rillflow::__private::OnFailure = ::rillflow::__private::OnFailure::#on_failure;
            #shards
        }
    }
}

/// `SHARDS`, unless it is the default.
pub(super) fn split(shards: Option<i32>) -> Option<TokenStream> {
    shards.map(|shards| quote!(const SHARDS: ::core::option::Option<i32> = ::core::option::Option::Some(#shards);))
}

fn on(projection: &Projection, handler: &Handler, key: &Key) -> TokenStream {
    let Projection { projection, document, .. } = projection;
    let Handler { event, cfgs, .. } = handler;
    let (keys, apply) = (keys(document, key), apply(handler));
    let (keys_of, apply_of) = signatures(document, event);
    let lookups = lookups(handler);
    quote_spanned! {span_of(event)=>
        #(#cfgs)*
        impl ::rillflow::__private::On<#event> for #projection {
            #keys_of { #keys }
            #lookups
            #apply_of { #apply }
        }
    }
}

/// `On::lookups`, if the handler looks at anything. Mistakes of type are reported at the document, and at the result of
/// the function that names it.
fn lookups(handler: &Handler) -> Option<TokenStream> {
    let wanted = handler.lookups.iter().map(|Lookup { document, many, function }| {
        let span = span_of(&function.returns);
        let name = moved(&function.ident, span);
        let kind = Ident::new(if *many { "many" } else { "one" }, span);
        let of = quote_spanned!(span_of(document)=> wanted.of::<#document>());
        let ids = match function.takes_envelope {
            true => quote_spanned!(span=> Self::#name),
            false => quote_spanned!(span=> |event, _| Self::#name(event)),
        };
        quote_spanned!(span=> #of.#kind(#ids);)
    });
    let (wanted, event) = (wanted.collect::<Vec<_>>(), &handler.event);
    (!wanted.is_empty()).then(|| {
        quote! {
            fn lookups(wanted: &mut ::rillflow::__private::Wanted<'_, #event>) {
                #(#wanted)*
            }
        }
    })
}

/// The signatures of `On`, as if they stood at the document: what is no document is reported there.
fn signatures(document: &Type, event: &impl ToTokens) -> (TokenStream, TokenStream) {
    let span = document.span();
    let keys = quote_spanned! {span=>
        fn keys(
            event: &#event,
            at: &::rillflow::__private::EventEnvelope,
            push: &mut dyn ::core::ops::FnMut(<#document as ::rillflow::__private::Document>::Id),
        )
    };
    let apply = quote_spanned! {span=>
        fn apply(
            doc: &mut #document,
            event: &#event,
            at: &::rillflow::__private::EventEnvelope,
            found: ::rillflow::__private::Found<'_>,
        ) -> ::core::result::Result<::rillflow::__private::DocumentOutcome, ::rillflow::__private::BoxError>
    };
    (keys, apply)
}

/// The body of `On::keys`. Mistakes of type are reported at the key's result.
fn keys(document: &Type, key: &Key) -> TokenStream {
    match key {
        // in the macro's own context: the conversion may be from `Uuid` to `Uuid`, which clippy minds in a user's code
        Key::Stream(span) => quote_spanned! {Span::call_site().located_at(*span)=>
            let _ = event;
            push(::core::convert::From::from(at.stream_id.0));
        },
        Key::Function(key) => {
            let span = span_of(&key.returns);
            let name = moved(&key.ident, span);
            let envelope = key.takes_envelope.then(|| quote_spanned!(span=> , at));
            quote_spanned! {span=>
                let _ = at;
                ::rillflow::__private::IntoKeys::<<#document as ::rillflow::__private::Document>::Id>::push_keys(
                    Self::#name(event #envelope),
                    push,
                );
            }
        }
    }
}

/// The body of `On::apply`. Mistakes of type are reported at the handler's parameters and result.
fn apply(handler: &Handler) -> TokenStream {
    let Handler { ident, doc, rest, returns, .. } = handler;
    let doc_span = span_of(doc);
    let span = returns.as_ref().map_or(doc_span, span_of);
    let (name, doc) = (moved(ident, span), quote_spanned!(doc_span=> doc));
    let mut places = 0_usize..;
    let rest = rest.iter().map(|parameter| match parameter {
        Parameter::Envelope(at) => quote_spanned!(*at=> at),
        Parameter::Document(document) => {
            let (kind, place) = (Ident::new(if document.many { "many" } else { "one" }, span), places.next());
            quote_spanned!(span=> found.#kind(#place))
        }
    });
    let call = quote_spanned!(span=> Self::#name(#doc, event #(, #rest)*));
    let outcome = match returns {
        Some(_) => quote_spanned!(span=> ::rillflow::__private::IntoOutcome::into_outcome(#call)),
        None => quote!(#call; ::core::result::Result::Ok(::rillflow::__private::DocumentOutcome::Keep)),
    };
    quote!(let _ = (at, found); #outcome)
}

fn ignore(projection: &Projection, event: &Type) -> TokenStream {
    let Projection { projection, events, document, .. } = projection;
    let (keys, apply) = signatures(document, event);
    let set = respan(events, event);
    quote_spanned! {span_of(event)=>
        impl ::rillflow::__private::On<#event> for #projection {
            #keys { let _ = (event, at, push, <#set as ::rillflow::__private::HasEvent<#event>>::TYPE); }
            #apply { let _ = (doc, event, at, found); ::core::result::Result::Ok(::rillflow::__private::DocumentOutcome::Keep) }
        }
    }
}

/// A projection that handles every event.
fn stand_in(projection: &Projection, item: &ItemImpl) -> TokenStream {
    if !item.generics.params.is_empty() || item.trait_.is_some() {
        return TokenStream::new();
    }
    let Projection { projection: me, document, ignored, .. } = projection;
    let uses = super::stand_in::uses(ignored);
    let document_projection = document_projection(projection, quote!(&[]));
    let (keys, apply) = signatures(document, &quote!(__E));
    quote! {
        #uses
        #document_projection
        impl<__E> ::rillflow::__private::On<__E> for #me {
            #keys { let _ = (event, at, push); }
            #apply { let _ = (doc, event, at, found); ::core::result::Result::Ok(::rillflow::__private::DocumentOutcome::Keep) }
        }
    }
}

/// `ident` as if it stood at `span`.
pub(super) fn moved(ident: &Ident, span: Span) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(span);
    ident
}

/// `ty` as if it stood where `place` stands.
pub(super) fn respan(ty: &Type, place: &Type) -> TokenStream {
    moved_all(ty.to_token_stream(), span_of(place))
}

/// `tokens` as if all of them stood at `span`.
fn moved_all(tokens: TokenStream, span: Span) -> TokenStream {
    let moved = |mut token: TokenTree| {
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), moved_all(group.stream(), span)).into();
        }
        token.set_span(span);
        token
    };
    tokens.into_iter().map(moved).collect()
}
