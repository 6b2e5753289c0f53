//! `#[derive(DocumentValue)]`.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Member, Type};

use crate::model::quoted;
use crate::model::value::{DocumentValue, Shape};

/// The value's implementations.
pub(crate) fn value(value: &DocumentValue) -> TokenStream {
    let ident = &value.ident;
    let own = match &value.shape {
        Shape::Enum(variants) => enumeration(ident, variants),
        Shape::Newtype(member, inner) => newtype(ident, member, inner),
    };
    quote! {
        const _: () = {
            #own
            impl ::rillflow::__private::ComparableTo<#ident> for #ident {}
        };
    }
}

fn enumeration(ident: &Ident, variants: &[(Ident, String)]) -> TokenStream {
    let names = variants.iter().map(|(variant, name)| quote!(#ident::#variant => #name));
    let literals = variants.iter().map(|(variant, name)| {
        let literal = quoted(name);
        quote!(#ident::#variant => #literal)
    });
    quote! {
        impl #ident {
            /// The variant as an SQL literal. A const function, since trait methods cannot be one.
            #[doc(hidden)]
            pub const fn __document_value(&self) -> &'static str {
                match self { #(#literals),* }
            }
        }
        impl ::rillflow::__private::DocumentValue for #ident {
            type Scalar = #ident;
            const SQL_TYPE: ::rillflow::__private::SqlType = ::rillflow::__private::SqlType::Text;
            type Paths<__P: ::rillflow::__private::Path> = ::rillflow::__private::Column<__P>;
        }
        impl ::rillflow::__private::Value for #ident {
            const OPERAND: ::rillflow::__private::Operand = <str as ::rillflow::__private::Value>::OPERAND;
            fn bind(&self, binds: &mut ::rillflow::__private::Binds) {
                ::rillflow::__private::Value::bind(match self { #(#names),* }, binds)
            }
        }
    }
}

/// The inner type is named once where it can fail, so that a wrong one is reported once.
fn newtype(ident: &Ident, member: &Member, inner: &Type) -> TokenStream {
    let name = ident.unraw().to_string();
    let sql_type = quote_spanned! {inner.span()=> ::rillflow::__private::newtype_of::<#inner>(#name) };
    quote! {
        impl ::rillflow::__private::Newtype for #ident {
            type Inner = #inner;
            fn inner(&self) -> &#inner { &self.#member }
            fn wrap(inner: #inner) -> Self { Self { #member: inner } }
        }
        impl ::rillflow::__private::DocumentValue for #ident {
            type Scalar = #ident;
            const SQL_TYPE: ::rillflow::__private::SqlType = #sql_type;
            type Paths<__P: ::rillflow::__private::Path> = ::rillflow::__private::Column<__P>;
        }
        impl ::rillflow::__private::Value for #ident {
            const OPERAND: ::rillflow::__private::Operand = ::rillflow::__private::Operand::Next(
                <#ident as ::rillflow::__private::DocumentValue>::SQL_TYPE,
                ::rillflow::__private::Arity::One,
            );
            fn bind(&self, binds: &mut ::rillflow::__private::Binds) {
                #[allow(unused_imports)]
                use ::rillflow::__private::BindNothing as _;
                ::rillflow::__private::Bind(&self.#member).bind(binds)
            }
        }
        const _: ::rillflow::__private::Operand = <#ident as ::rillflow::__private::Value>::OPERAND;
    }
}
