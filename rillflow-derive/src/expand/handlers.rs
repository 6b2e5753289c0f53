//! `#[handlers]`: the impl as it is, and each handler as an `Apply`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::stand_in;
use crate::attrs::options::span_of;
use crate::attrs::problems::Problems;
use crate::model::functions::impl_of;
use crate::model::handlers::{Handler, Handlers, check};

/// The impl with its handlers, or with the mistakes and a stand-in.
pub(crate) fn handlers(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    let code = impl_of(item.clone(), "#[handlers]", &mut problems).map(|parsed| {
        let handlers = check(attr, &parsed, &mut problems);
        match problems.is_empty() {
            true => expand(&handlers),
            false if parsed.generics.params.is_empty() => stand_in::handlers(&handlers.aggregate, &handlers.ignored),
            false => TokenStream::new(),
        }
    });
    let problems = problems.into_tokens();
    quote!(#item #problems #code)
}

fn expand(Handlers { aggregate, handlers, ignored }: &Handlers) -> TokenStream {
    let applies = handlers.iter().map(|Handler { ident, event, cfgs }| {
        quote_spanned! {span_of(event)=>
            #(#cfgs)*
            impl ::rillflow::__private::Apply<#event> for #aggregate {
                fn apply_event(&mut self, event: &#event) {
                    Self::#ident(self, event);
                }
            }
        }
    });
    let ignores = ignored.iter().map(|event| {
        quote_spanned! {span_of(event)=>
            impl ::rillflow::__private::Apply<#event> for #aggregate {
                fn apply_event(&mut self, _: &#event) {}
            }
        }
    });
    let handled = handlers.iter().map(|handler| (&handler.event, handler.cfgs.as_slice()));
    let checks = handled
        .chain(ignored.iter().map(|event| (event, [].as_slice())))
        .map(|(event, cfgs)| quote_spanned!(span_of(event)=> #(#cfgs)* events.has::<#event>();));
    quote! {
        #(#applies)*
        #(#ignores)*
        const _: () = {
            let events = <#aggregate as ::rillflow::__private::Aggregate>::EVENTS;
            #(#checks)*
        };
    }
}
