//! The fields of a struct: a type for each, and the paths that closures see.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::model::fields::{Field, Struct};
use crate::model::quoted;

/// Whether a whole struct or enum is there: what an `Option` of it can be asked. `wanted`: by the method's name.
pub(super) fn null_tests(fields: &Struct, wanted: impl Fn(&str) -> bool) -> TokenStream {
    let (paths, vis, parameters, generics) =
        (paths_ident(fields), &fields.vis, parameters(fields), with_path(fields, "Path"));
    let (generics, _, bounds) = generics.split_for_impl();
    let tests = [("is_null", true, "No value: null, or no such key."), ("is_some", false, "A value.")];
    let tests = tests.iter().filter(|(name, ..)| wanted(name)).map(|(name, null, doc)| {
        let name = Ident::new(name, Span::call_site());
        quote! {
            #[doc = #doc]
            #[track_caller]
            #vis const fn #name(&self) -> ::rillflow::__private::NullTest<__P, #null>
            where
                <__P as ::rillflow::__private::Path>::Value: ::rillflow::__private::Nullable,
            {
                ::rillflow::__private::null_test()
            }
        }
    });
    quote! {
        impl #generics #paths<__P, #(#parameters),*> #bounds { #(#tests)* }
    }
}

/// Paths, and the type as a value that has them.
pub(super) fn value_with_paths(fields: &Struct, has_fields: bool) -> TokenStream {
    let paths = paths(fields);
    let (ident, paths_ident) = (&fields.ident, paths_ident(fields));
    let (generics, arguments, bounds) = fields.generics.split_for_impl();
    let parameters = parameters(fields);
    let with_path = with_path(fields, "Path");
    let (path_generics, _, _) = with_path.split_for_impl();
    quote! {
        #paths
        impl #generics ::rillflow::__private::DocumentValue for #ident #arguments #bounds {
            type Scalar = #ident #arguments;
            const SQL_TYPE: ::rillflow::__private::SqlType = ::rillflow::__private::SqlType::Json;
            const HAS_FIELDS: bool = #has_fields;
            type Paths<__P: ::rillflow::__private::Path> = #paths_ident<__P, #(#parameters),*>;
        }
        impl #path_generics ::rillflow::__private::PathTo for #paths_ident<__P, #(#parameters),*> #bounds {
            type Path = __P;
        }
    }
}

/// The names of a struct's type parameters.
fn parameters(fields: &Struct) -> Vec<&Ident> {
    fields.generics.type_params().map(|parameter| &parameter.ident).collect()
}

/// Its parameters after `__P`, which stands for what is before its fields.
fn with_path(fields: &Struct, bound: &str) -> syn::Generics {
    let (mut generics, bound) = (fields.generics.clone(), Ident::new(bound, Span::call_site()));
    generics.params.insert(0, syn::parse_quote!(__P: ::rillflow::__private::#bound));
    generics
}

/// Keeps every name that the derive makes to itself.
pub(super) fn hidden(items: &TokenStream) -> TokenStream {
    quote! {
        #[allow(missing_docs, non_camel_case_types, non_snake_case, unreachable_pub, dead_code)]
        const _: () = { #items };
    }
}

pub(super) fn paths_ident(fields: &Struct) -> Ident {
    format_ident!("{}Paths", fields.ident.unraw())
}

/// The type that stands for a field in paths. rustc shows it in messages, so it is named after type and field.
pub(super) fn tag(fields: &Struct, field: &Field) -> TokenStream {
    let (ident, parameters) = (tag_ident(fields, field), parameters(fields));
    if parameters.is_empty() { quote!(#ident) } else { quote!(#ident<#(#parameters),*>) }
}

fn tag_ident(fields: &Struct, field: &Field) -> Ident {
    Ident::new(&format!("{}_{}", fields.ident.unraw(), field.name), Span::call_site())
}

/// A type per field, and the struct of paths that closures see.
pub(super) fn paths(fields: &Struct) -> TokenStream {
    let (ident, vis) = (paths_ident(fields), &fields.vis);
    let tags = fields.fields.iter().map(|field| field_type(fields, field));
    let members = fields.fields.iter().map(|field| {
        let (name, vis, tag) = (&field.ident, &field.vis, tag(fields, field));
        // here rustc reports a type that is no document value
        let paths = quote_spanned! {field.ty.span()=> ::rillflow::__private::PathsAt<__P, #tag> };
        quote! { #vis #name: #paths }
    });
    let values = fields.fields.iter().map(|field| {
        // where the member's type is, so that rustc drops a second report of it
        let mut name = field.ident.clone();
        name.set_span(field.ty.span());
        quote_spanned! {field.ty.span()=> #name: ::rillflow::__private::PathSet::NEW }
    });
    let (parameters, with_parent) = (parameters(fields), with_path(fields, "Parent"));
    let (generics, _, bounds) = with_parent.split_for_impl();
    quote! {
        #(#tags)*
        #vis struct #ident #generics #bounds {
            #(#members,)*
            __parent: ::core::marker::PhantomData<fn() -> (__P, #(#parameters),*)>,
        }
        impl #generics ::rillflow::__private::PathSet for #ident<__P, #(#parameters),*> #bounds {
            const NEW: Self = #ident { #(#values,)* __parent: ::core::marker::PhantomData };
        }
    }
}

fn field_type(fields: &Struct, field: &Field) -> TokenStream {
    let (tag, key, quoted_key, name, optional) =
        (tag(fields, field), &field.key, quoted(&field.key), &field.name, field.optional);
    let (vis, ty) = (&field.vis, value_type(field));
    let presence = if field.optional { quote!(Sometimes) } else { quote!(Always) };
    let place = if field.attrs.id.is_some() { quote!(Id) } else { quote!(Key) };
    let (flat, conditional) = (field.flat, field.conditional);
    let guard = field.guard.as_ref().map(|(tag, name)| {
        let (tag, name) = (quoted(tag), quoted(name));
        quote! {
            const TAG: ::core::option::Option<(&'static str, &'static str)> =
                ::core::option::Option::Some((#tag, #name));
        }
    });
    let flattens = quote_spanned! {field.ty.span()=> {
        #[allow(unused_imports)]
        use ::rillflow::__private::FlattenAnything as _;
        ::rillflow::__private::flattened(::rillflow::__private::Flatten::<#ty>::CHECK)
    }};
    let flat = if flat { quote!(#flattens) } else { quote!(false) };
    // where it needs no type parameter, it is checked even if no query goes that way
    let check = (field.flat && fields.generics.params.is_empty()).then(|| quote!(const _: bool = #flattens;));
    let (generics, _, bounds) = fields.generics.split_for_impl();
    let parameters = parameters(fields);
    let declaration = if parameters.is_empty() {
        quote!(enum #tag {})
    } else {
        let ident = tag_ident(fields, field);
        quote!(struct #ident #generics (::core::marker::PhantomData<fn() -> (#(#parameters,)*)>) #bounds;)
    };
    quote! {
        #check
        #vis #declaration
        impl #generics ::rillflow::__private::Field for #tag #bounds {
            type Value = #ty;
            type Presence = ::rillflow::__private::#presence;
            const KEY: &'static str = #key;
            const QUOTED_KEY: &'static str = #quoted_key;
            const NAME: &'static str = #name;
            const OPTIONAL: bool = #optional;
            const FLAT: bool = #flat;
            const CONDITIONAL: bool = #conditional;
            #guard
            const PLACE: ::rillflow::__private::Place = ::rillflow::__private::Place::#place;
        }
    }
}

/// The field's type; an opaque one is JSON of no known shape.
pub(super) fn value_type(field: &Field) -> TokenStream {
    let ty = &field.ty;
    match field.attrs.opaque {
        Some(_) => quote_spanned! {ty.span()=> ::rillflow::__private::serde_json::Value },
        None => quote!(#ty),
    }
}
