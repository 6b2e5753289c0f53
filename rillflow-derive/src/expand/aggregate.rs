//! `#[derive(Aggregate)]`: the events, the stream, and the hand-over that needs a handler for each event.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::DeriveInput;

use super::stand_in;
use crate::attrs::options::span_of;
use crate::attrs::problems::Problems;
use crate::model::aggregate::{Aggregate, check};

/// The implementation, or the mistakes and a stand-in.
pub(crate) fn aggregate(item: TokenStream) -> TokenStream {
    let item: DeriveInput = match syn::parse2(item) {
        Ok(item) => item,
        Err(error) => return error.into_compile_error(),
    };
    let mut problems = Problems::default();
    match check(&item, &mut problems) {
        Some(aggregate) if problems.is_empty() => expand(&aggregate),
        _ => {
            let stand_in = item.generics.params.is_empty().then(|| stand_in::aggregate(&item.ident));
            let problems = problems.into_tokens();
            quote!(#problems #stand_in)
        }
    }
}

fn expand(Aggregate { ident, events, stream }: &Aggregate) -> TokenStream {
    // a missing handler is reported where the user named the events
    let dispatch = quote_spanned! {span_of(events)=>
        <#events as ::rillflow::__private::Dispatch<Self>>::dispatch(event, self)
    };
    quote! {
        #[automatically_derived]
        impl ::rillflow::__private::Aggregate for #ident {
            type Event = #events;
            const STREAM: &'static str = #stream;

            fn apply(&mut self, event: &#events) {
                #dispatch
            }
        }
    }
}
