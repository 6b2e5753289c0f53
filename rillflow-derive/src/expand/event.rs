//! `#[derive(Event)]`: payloads, the set, and the hand-over to aggregates and projections.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::DeriveInput;

use super::stand_in;
use crate::attrs::event::Step;
use crate::attrs::options::span_of;
use crate::attrs::problems::Problems;
use crate::model::event::{EventEnum, EventVariant, check};
use crate::model::split::Split;

/// The implementations, or the mistakes and stand-ins.
pub(crate) fn event(item: TokenStream) -> TokenStream {
    let item: DeriveInput = match syn::parse2(item) {
        Ok(item) => item,
        Err(error) => return error.into_compile_error(),
    };
    let mut problems = Problems::default();
    match check(&item, &mut problems) {
        Some(set) if problems.is_empty() => expand(&set),
        _ => {
            let stand_in = item.generics.params.is_empty().then(|| stand_in::events(&item.ident));
            let problems = problems.into_tokens();
            quote!(#problems #stand_in)
        }
    }
}

fn expand(set: &EventEnum) -> TokenStream {
    let payloads = set.events.iter().map(|event| payload(set, event));
    let event_set = event_set(set);
    let dispatch = dispatch(set);
    let (route, route_sql) = (route(set), route_sql(set));
    quote!(#(#payloads)* #event_set #dispatch #route #route_sql)
}

/// One payload: its type, its decoding, its place in the set.
fn payload(set: &EventEnum, event: &EventVariant) -> TokenStream {
    let EventVariant { payload, name, was, version, .. } = event;
    let older = older_versions(event);
    let split_off = set.splits.iter().filter(|split| split.parts.iter().any(|(ident, _)| *ident == event.ident));
    let split_off = split_off.map(type_of);
    let set = &set.ident;
    quote_spanned! {span_of(payload)=>
        #[automatically_derived]
        impl ::rillflow::__private::PayloadOfOneEnum for #payload {
            const TYPE: ::rillflow::__private::EventType =
                ::rillflow::__private::EventType { name: #name, version: #version };
            const TYPES: &'static [::rillflow::__private::EventType] = &[
                <Self as ::rillflow::__private::PayloadOfOneEnum>::TYPE,
                #(::rillflow::__private::EventType { name: #was, version: #version },)*
            ];
            const CODEC: ::rillflow::__private::Codec<Self> = ::rillflow::__private::Codec::<#payload>::new();

            fn decode(version: i32, json: &[u8]) -> ::rillflow::__private::Result<Self> {
                match version {
                    #version => <Self as ::rillflow::__private::PayloadOfOneEnum>::TYPE.read(version, (<Self as ::rillflow::__private::PayloadOfOneEnum>::CODEC.read)(json)),
                    #older
                    other => ::core::result::Result::Err(<Self as ::rillflow::__private::PayloadOfOneEnum>::TYPE.unknown_version(other)),
                }
            }
        }

        #[automatically_derived]
        impl ::rillflow::__private::HasEvent<#payload> for #set {
            const TYPE: ::rillflow::__private::EventType =
                <#payload as ::rillflow::__private::PayloadOfOneEnum>::TYPE;
            const TYPES: &'static [::rillflow::__private::EventType] = ::rillflow::__private::event_types!(
                <#payload as ::rillflow::__private::PayloadOfOneEnum>::TYPES, &[#(#split_off),*]
            );
        }
    }
}

/// The stored name and version of an event that is split.
fn type_of(split: &Split) -> TokenStream {
    let (name, version) = (&split.name, split.version);
    quote!(::rillflow::__private::EventType { name: #name, version: #version })
}

/// How the parts of an event that is gone are read, one after the other.
fn decode_each(set: &EventEnum) -> TokenStream {
    if set.splits.is_empty() {
        return TokenStream::new();
    }
    let arms = set.splits.iter().map(|split| {
        let (name, version, function, ty) = (&split.name, split.version, &split.function, type_of(split));
        let variants = split.parts.iter().map(|(variant, _)| variant);
        let payloads = split.parts.iter().map(|(_, payload)| payload);
        let parts: Vec<_> = (0..split.parts.len()).map(|n| quote::format_ident!("part{n}")).collect();
        let at = function.segments.last().map_or_else(Span::call_site, |last| last.ident.span());
        let read = quote_spanned!(at=> #ty.read_older::<_, (#(#payloads,)*)>(#function, version, json)?);
        quote! {
            (#name, #version) => {
                let (#(#parts,)*) = #read;
                #(each(Self::#variants(#parts));)*
                ::core::result::Result::Ok(true)
            }
        }
    });
    quote! {
        fn decode_each(
            name: &str,
            version: i32,
            json: &[u8],
            each: &mut dyn ::core::ops::FnMut(Self),
        ) -> ::rillflow::__private::Result<bool> {
            match (name, version) {
                #(#arms)*
                _ => {
                    let event = <Self as ::rillflow::__private::EventSet>::decode(name, version, json)?;
                    ::core::result::Result::Ok(event.map(each).is_some())
                }
            }
        }
    }
}

/// One arm per older version: read it as the first step takes it, then step up to the current one.
///
/// Each step stands where the function before it stands: a wrong result is reported at the function that returns it.
fn older_versions(event: &EventVariant) -> TokenStream {
    let arms = (1i32..).zip(0..event.upcasts.len()).map(|(version, from)| {
        let (first, rest) = (&event.upcasts[from], &event.upcasts[from + 1..]);
        let (function, read) = (&first.function, if first.json { quote!(read_older_json) } else { quote!(read_older) });
        let read = quote_spanned!(place(first)=> <Self as ::rillflow::__private::PayloadOfOneEnum>::TYPE.#read(#function, #version, json)?);
        let (last, _, value) = rest.iter().fold((first, version, read), |(before, version, value), step| {
            (step, version + 1, next(before, step, version + 1, value))
        });
        let current = match last.json {
            true => quote_spanned!(place(last)=> <Self as ::rillflow::__private::PayloadOfOneEnum>::TYPE.from_json(#version, #value)?),
            false => quote_spanned!(place(last)=> ::rillflow::__private::EventType::current::<Self, _>(#value)),
        };
        quote!(#version => ::core::result::Result::Ok(#current),)
    });
    quote!(#(#arms)*)
}

/// `step` on the result of `before`, which is a payload of `version`.
fn next(before: &Step, step: &Step, version: i32, value: TokenStream) -> TokenStream {
    let (function, at) = (&step.function, place(before));
    let event = quote!(<Self as ::rillflow::__private::PayloadOfOneEnum>::TYPE);
    match (before.json, step.json) {
        (false, false) => quote_spanned!(at=> ::rillflow::__private::EventType::step(#function, #value)),
        (true, true) => quote_spanned!(at=> ::rillflow::__private::EventType::step_json(#function, #value)),
        (true, false) => quote_spanned!(at=> #event.step_from_json(#function, #version, #value)?),
        (false, true) => quote_spanned!(at=> #event.step_to_json(#function, #version, #value)?),
    }
}

fn place(step: &Step) -> Span {
    step.function.segments.last().map_or_else(Span::call_site, |last| last.ident.span())
}

fn event_set(set: &EventEnum) -> TokenStream {
    let EventEnum { ident, events, splits } = set;
    let variants: Vec<_> = events.iter().map(|event| &event.ident).collect();
    let payloads: Vec<_> = events.iter().map(|event| &event.payload).collect();
    let (split_types, decode_each) = (splits.iter().map(type_of), decode_each(set));
    let split_names = splits.iter().map(|split| {
        let (name, version, ty) = (&split.name, split.version, type_of(split));
        quote!(#name if version == #version => return ::core::result::Result::Err(#ty.is_split()),)
    });
    let names = events.iter().map(|event| {
        let (name, was) = (&event.name, &event.was);
        quote!(#name #(| #was)*)
    });
    quote! {
        #[automatically_derived]
        impl ::rillflow::__private::EventSet for #ident {
            const TYPES: &'static [::rillflow::__private::EventType] = ::rillflow::__private::event_types!(
                #(<#payloads as ::rillflow::__private::PayloadOfOneEnum>::TYPES,)* &[#(#split_types),*]
            );

            fn event_type(&self) -> ::rillflow::__private::EventType {
                match self {
                    #(Self::#variants(_) => <#payloads as ::rillflow::__private::PayloadOfOneEnum>::TYPE,)*
                }
            }

            fn encode(&self) -> ::core::result::Result<::std::string::String, ::rillflow::__private::serde_json::Error> {
                match self {
                    #(Self::#variants(event) => (<#payloads as ::rillflow::__private::PayloadOfOneEnum>::CODEC.write)(event),)*
                }
            }

            fn tags(&self) -> ::std::vec::Vec<::rillflow::__private::Tag> {
                #[allow(unused_imports)]
                use ::rillflow::__private::NoTags as _;
                match self {
                    #(Self::#variants(event) => ::rillflow::__private::TagsOf(event).tags(),)*
                }
            }

            fn decode(
                name: &str,
                version: i32,
                json: &[u8],
            ) -> ::rillflow::__private::Result<::core::option::Option<Self>> {
                ::core::result::Result::Ok(::core::option::Option::Some(match name {
                    #(#names => Self::#variants(
                        <#payloads as ::rillflow::__private::PayloadOfOneEnum>::decode(version, json)?
                    ),)*
                    #(#split_names)*
                    _ => return ::core::result::Result::Ok(::core::option::Option::None),
                }))
            }

            #decode_each

            fn shapes() -> ::std::vec::Vec<::rillflow::__private::EventShape> {
                ::std::vec![#(::rillflow::__private::EventShape::of::<#payloads>()),*]
            }
        }
    }
}

fn dispatch(set: &EventEnum) -> TokenStream {
    let EventEnum { ident, events, .. } = set;
    let variants = events.iter().map(|event| &event.ident);
    let payloads: Vec<_> = events.iter().map(|event| &event.payload).collect();
    quote! {
        #[automatically_derived]
        impl<__A> ::rillflow::__private::Dispatch<__A> for #ident
        where
            #(__A: ::rillflow::__private::Apply<#payloads>,)*
        {
            fn dispatch(&self, aggregate: &mut __A) {
                match self {
                    #(Self::#variants(event) => {
                        <__A as ::rillflow::__private::Apply<#payloads>>::apply_event(aggregate, event)
                    })*
                }
            }
        }
    }
}

fn route(set: &EventEnum) -> TokenStream {
    let EventEnum { ident, events, .. } = set;
    let variants: Vec<_> = events.iter().map(|event| &event.ident).collect();
    let payloads: Vec<_> = events.iter().map(|event| &event.payload).collect();
    let (keys, apply) = (stand_in::route_keys(), stand_in::route_apply());
    let (lookups, all_lookups) = (stand_in::route_lookups(), stand_in::route_all_lookups());
    quote! {
        #[automatically_derived]
        impl<__P> ::rillflow::__private::Route<__P> for #ident
        where
            __P: ::rillflow::__private::DocumentProjection,
            #(__P: ::rillflow::__private::On<#payloads>,)*
        {
            #keys {
                match self {
                    #(Self::#variants(event) => {
                        <__P as ::rillflow::__private::On<#payloads>>::keys(event, at, push)
                    })*
                }
            }

            #lookups {
                match self {
                    #(Self::#variants(event) => {
                        let mut wanted = ::rillflow::__private::Wanted::by(event, at, lookups);
                        <__P as ::rillflow::__private::On<#payloads>>::lookups(&mut wanted);
                        wanted.asked()
                    })*
                }
            }

            #all_lookups {
                #(<__P as ::rillflow::__private::On<#payloads>>::lookups(
                    &mut ::rillflow::__private::Wanted::by_any(lookups),
                );)*
            }

            #apply {
                match self {
                    #(Self::#variants(event) => {
                        <__P as ::rillflow::__private::On<#payloads>>::apply(doc, event, at, found)
                    })*
                }
            }
        }
    }
}

fn route_sql(set: &EventEnum) -> TokenStream {
    let EventEnum { ident, events, .. } = set;
    let variants: Vec<_> = events.iter().map(|event| &event.ident).collect();
    let payloads: Vec<_> = events.iter().map(|event| &event.payload).collect();
    let apply = stand_in::route_sql();
    quote! {
        #[automatically_derived]
        impl<__P> ::rillflow::__private::RouteSql<__P> for #ident
        where
            __P: ::rillflow::__private::SqlProjection,
            #(__P: ::rillflow::__private::OnSql<#payloads>,)*
        {
            #apply {
                match self {
                    #(Self::#variants(event) => {
                        <__P as ::rillflow::__private::OnSql<#payloads>>::apply(event, at, tx).await
                    })*
                }
            }
        }
    }
}
