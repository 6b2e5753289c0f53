//! `#[derive(Aggregate)]`: the events, the stream, snapshots, validator, and the hand-over that needs a handler for each event.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::DeriveInput;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::stand_in;
use crate::attrs::options::span_of;
use crate::attrs::problems::Problems;
use crate::model::aggregate::{Aggregate, SnapshotEvery, check};

/// The implementation, or the mistakes and a stand-in.
pub(crate) fn aggregate(item: TokenStream) -> TokenStream {
    let item: DeriveInput = match syn::parse2(item) {
        Ok(item) => item,
        Err(error) => return error.into_compile_error(),
    };
    let mut problems = Problems::default();
    match check(&item, &mut problems) {
        Some(aggregate) if problems.is_empty() => expand(&aggregate),
        unfit => {
            let uses = unfit.map(|it| stand_in::uses(&[it.events]));
            let stand_in = item.generics.params.is_empty().then(|| stand_in::aggregate(&item.ident));
            let problems = problems.into_tokens();
            quote!(#problems #stand_in #uses)
        }
    }
}

fn expand(aggregate: &Aggregate) -> TokenStream {
    let Aggregate { ident, events, stream, snapshot_version, shards, shape, .. } = aggregate;
    let name = ident.unraw().to_string();
    let version = snapshot_version.unsigned_abs();
    // a missing handler is reported where the user named the events
    let dispatch = quote_spanned! {span_of(events)=>
        <#events as ::rillflow::__private::Dispatch<Self>>::dispatch(event, self)
    };
    let shards = shards.map(|shards| quote!(const SHARDS: i32 = #shards;));
    let (snapshots, validate) = (snapshots(aggregate), validate(aggregate));
    quote! {
        #[automatically_derived]
        impl ::rillflow::__private::Aggregate for #ident {
            type Event = #events;
            const STREAM: &'static str = #stream;
            const NAME: &'static str = #name;
            const FINGERPRINT: i64 = ::rillflow::__private::fingerprint(#shape, #version);
            const VERSION: i32 = #snapshot_version;
            #shards
            #snapshots

            fn apply(&mut self, event: &#events) {
                #dispatch
            }
            #validate
        }
    }
}

/// A state that is no JSON is reported where the user asked for snapshots.
fn snapshots(aggregate: &Aggregate) -> Option<TokenStream> {
    let SnapshotEvery { events, span } = aggregate.snapshot_every.as_ref()?;
    let how = quote_spanned!(*span=> ::rillflow::__private::Snapshots::<Self>::every(#events));
    Some(quote! {
        const SNAPSHOTS: ::core::option::Option<::rillflow::__private::Snapshots<Self>> =
            ::core::option::Option::Some(#how);
    })
}

/// A function of a wrong type is reported where the user named it.
fn validate(aggregate: &Aggregate) -> Option<TokenStream> {
    let function = aggregate.validate.as_ref()?;
    let checked = quote_spanned! {function.span()=>
        ::rillflow::__private::Verdict::verdict(#function(self))
    };
    Some(quote! {
        const VALIDATED: bool = true;

        fn validate(&self) -> ::core::result::Result<(), ::rillflow::__private::BoxError> {
            #checked
        }
    })
}
