//! `#[derive(EventTags)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::DeriveInput;

use crate::attrs::options::span_of;
use crate::model::tags::TaggedPayload;

/// The implementation.
pub(crate) fn tags(payload: &TaggedPayload) -> TokenStream {
    let ident = &payload.ident;
    let (generics, of, bounds) = payload.generics.split_for_impl();
    let tags = payload.tags.iter().map(|tag| {
        let (field, name, ty) = (&tag.field, &tag.name, &tag.ty);
        quote_spanned! {span_of(ty)=>
            <#ty as ::rillflow::__private::TagField>::add_tags(&self.#field, #name, &mut tags);
        }
    });
    quote! {
        #[automatically_derived]
        impl #generics ::rillflow::__private::EventTags for #ident #of #bounds {
            fn tags(&self) -> ::std::vec::Vec<::rillflow::__private::Tag> {
                let mut tags = ::std::vec::Vec::new();
                #(#tags)*
                tags
            }
        }
    }
}

/// What stands in for it beside a mistake.
pub(crate) fn refused(item: &DeriveInput) -> TokenStream {
    let ident = &item.ident;
    let (generics, of, bounds) = item.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #generics ::rillflow::__private::EventTags for #ident #of #bounds {
            fn tags(&self) -> ::std::vec::Vec<::rillflow::__private::Tag> {
                ::std::vec::Vec::new()
            }
        }
    }
}
