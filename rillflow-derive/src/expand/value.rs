//! `#[derive(DocumentValue)]`.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Member, Type};

use super::fields::{hidden, null_tests, paths_ident, tag, value_with_paths};
use crate::model::quoted;
use crate::model::value::{DocumentValue, Shape, Tagged, Tagging};

/// The value's implementations.
pub(crate) fn value(value: &DocumentValue) -> TokenStream {
    let ident = &value.ident;
    let own = match &value.shape {
        Shape::Enum(variants) => enumeration(ident, variants),
        Shape::Tagged(enumeration) => return tagged(enumeration),
        Shape::Untagged => return untagged(ident),
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

/// An enum that only its content tells: stored and selected.
fn untagged(ident: &Ident) -> TokenStream {
    quote! {
        impl ::rillflow::__private::DocumentValue for #ident {
            type Scalar = #ident;
            const SQL_TYPE: ::rillflow::__private::SqlType = ::rillflow::__private::SqlType::Json;
            type Paths<__P: ::rillflow::__private::Path> = ::rillflow::__private::Column<__P>;
        }
    }
}

/// An enum with a path per variant that holds something, and a test per variant.
fn tagged(value: &Tagged) -> TokenStream {
    let (vis, paths) = (&value.paths.vis, paths_ident(&value.paths));
    let own = value_with_paths(&value.paths, matches!(value.tagging, Tagging::Internal(_)));
    let contents = value.contents.iter().map(|content| {
        let (ident, value) = (&content.ident, value_with_paths(content, true));
        quote!(#vis enum #ident {} #value)
    });
    let (literals, tests): (Vec<_>, Vec<_>) =
        value.tests.iter().map(|(test, name)| is_variant(value, test, name)).unzip();
    let null_tests = null_tests(&value.paths, |name| value.tests.iter().all(|(test, _)| test != name));
    hidden(&quote! {
        #own
        #null_tests
        #(#contents)*
        #(#literals)*
        impl<__P: ::rillflow::__private::Path> #paths<__P> { #(#tests)* }
    })
}

/// A type for the variant's name, and the method that asks for it.
fn is_variant(value: &Tagged, test: &Ident, name: &str) -> (TokenStream, TokenStream) {
    let (vis, quoted) = (&value.paths.vis, quoted(name));
    let literal = format_ident!("{}_{}", value.paths.ident.unraw(), test);
    let literal_type = quote! {
        #vis enum #literal {}
        impl ::rillflow::__private::Literal for #literal {
            type As = &'static str;
            const SQL: &'static str = #quoted;
        }
    };
    let doc = format!("True for the variant `{name}`.");
    let method = match value.tagging.is_external() {
        true => quote! {
            #vis const fn #test(&self) -> ::rillflow::__private::Is<__P, #literal> {
                ::rillflow::__private::is_key()
            }
        },
        false => {
            let tag = tag(&value.paths, &value.paths.fields[0]);
            quote! {
                #vis const fn #test(&self) -> ::rillflow::__private::Compare<
                    ::rillflow::__private::At<__P, #tag>,
                    ::rillflow::__private::Equal,
                    ::rillflow::__private::Inline<#literal>,
                > {
                    ::rillflow::__private::is_tag()
                }
            }
        }
    };
    (literal_type, quote!(#[doc = #doc] #method))
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
