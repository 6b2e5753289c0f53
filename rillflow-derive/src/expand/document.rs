//! `#[derive(Document)]` and `#[derive(DocumentFields)]`: paths, and the collection.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{DeriveInput, Type};

use super::fields::{hidden, null_tests, paths, paths_ident, tag, value_with_paths};
use super::indexes::{
    column, column_name, definition, foreign_key, full_text, full_text_index, key_checks, reference, rendered,
    rendered_key, stored_column,
};
use crate::attrs::document::IdSource;
use crate::model::document::Document;
use crate::model::fields::Struct;

/// A document.
pub(crate) fn document(document: &Document) -> TokenStream {
    let paths = paths(&document.fields);
    let implementation = implementation(document);
    hidden(&quote! { #paths #implementation })
}

/// A nested struct.
pub(crate) fn nested(fields: &Struct) -> TokenStream {
    let (value, null_tests) = (value_with_paths(fields, true), null_tests(fields, |_| true));
    hidden(&quote! { #value #null_tests })
}

/// What stands in for a document that was refused before its fields were read, so that its users still compile.
pub(crate) fn refused(input: &DeriveInput) -> TokenStream {
    let ident = &input.ident;
    let (generics, arguments, _) = input.generics.split_for_impl();
    quote! {
        impl #generics ::rillflow::__private::Document for #ident #arguments
        where
            Self: ::rillflow::__private::serde::Serialize
                + ::rillflow::__private::serde::de::DeserializeOwned
                + ::core::marker::Send + ::core::marker::Sync + 'static,
        {
            type Id = i64;
            type Paths = ();
            const COLLECTION: &'static ::rillflow::__private::Collection = ::rillflow::__private::Collection::REFUSED;
            fn id(&self) -> &i64 { &0 }
            fn set_id(&mut self, _: i64) {}
        }
    }
}

fn implementation(document: &Document) -> TokenStream {
    let (ident, paths) = (&document.fields.ident, paths_ident(&document.fields));
    let (type_name, collection) = (ident.unraw().to_string(), &document.collection);
    let table = format!("public.{}", document.table());
    let (id, soft_delete) = (id(document), document.soft_delete);
    let (id_type, id_source, id_key) = (id_type(document), id_source(document), id_key(document));
    let definitions = document.indexes.iter().map(|index| definition(document, index));
    let indexes = document.indexes.iter().enumerate().map(|(at, index)| rendered(at, index));
    let (generated, full_text, metadata) = (generated_id(document), full_text(document), document.metadata);
    let searched = match full_text_index(document) {
        Some(at) => quote!(::core::option::Option::Some(&__INDEXES[#at])),
        None => quote!(::core::option::Option::None),
    };
    let references = document.columns.iter().enumerate().filter_map(|(at, it)| reference(ident, at, it));
    let columns = document.columns.iter().enumerate().map(|(at, it)| column(ident, at, it));
    let key_checks = key_checks(document);
    let stored_columns = document.columns.iter().enumerate().map(|(at, it)| stored_column(at, it));
    let column_names = document.columns.iter().map(column_name);
    let foreign_keys: Vec<_> = document.columns.iter().enumerate().filter_map(|(at, it)| foreign_key(at, it)).collect();
    let rendered_keys = (0..foreign_keys.len()).map(rendered_key);
    quote! {
        #(#references)*
        const __TABLE: ::rillflow::__private::Table = ::rillflow::__private::Table {
            name: #table,
            id_type: #id_type,
            id_source: #id_source,
            columns: &[#(#columns),*],
            metadata: #metadata,
        };
        const __FOREIGN_KEYS: &[::rillflow::__private::ForeignKeyDefinition] = &[#(#foreign_keys),*];
        const __INDEXES: &[::rillflow::__private::IndexDefinition] = &[#(#definitions),*];
        impl ::rillflow::__private::Document for #ident {
            type Paths = #paths<::rillflow::__private::Root<#ident>>;
            const COLLECTION: &'static ::rillflow::__private::Collection = &::rillflow::__private::Collection {
                type_name: #type_name,
                name: #collection,
                table: __TABLE.name,
                id_type: __TABLE.id_type,
                id_source: __TABLE.id_source,
                id_key: #id_key,
                create_table: ::rillflow::__private::sql_text!(::rillflow::__private::Source::Table(&__TABLE)),
                columns: &[#(#stored_columns),*],
                indexes: &[#(#indexes),*],
                foreign_keys: &[#(#rendered_keys),*],
                metadata: __TABLE.metadata,
                soft_delete: #soft_delete,
            };
            const TABLE: &'static str = #table;
            const COLUMNS: &'static [::rillflow::__private::ColumnOf] = &[#(#column_names),*];
            const FULL_TEXT: ::core::option::Option<&'static ::rillflow::__private::IndexDefinition> = #searched;
            const INDEXES: &'static [::rillflow::__private::IndexDefinition] = __INDEXES;
            #id
        }
        #key_checks
        #generated
        #full_text
    }
}

fn id(document: &Document) -> TokenStream {
    match &document.id {
        Some((field, ty)) => id_methods(field, ty),
        None => quote! {
            type Id = i64;
            fn id(&self) -> &i64 { &0 }
            fn set_id(&mut self, _: i64) {}
        },
    }
}

/// The id's type as its path has it, which leaves a type that cannot be an id to be reported at the field alone.
fn id_type(document: &Document) -> TokenStream {
    let (ident, fields) = (&document.fields.ident, &document.fields);
    match document.id_field() {
        Some(id) => {
            let tag = tag(fields, id);
            let path = quote!(::rillflow::__private::At<::rillflow::__private::Root<#ident>, #tag>);
            quote!(<#path as ::rillflow::__private::Parent>::INFO.sql_type)
        }
        None => quote!(::rillflow::__private::SqlType::Int),
    }
}

/// Who makes the ids.
fn id_source(document: &Document) -> TokenStream {
    let source = match document.id_field().and_then(|id| id.attrs.id_source) {
        None => quote!(Given),
        Some((IdSource::V7, _)) => quote!(V7),
        Some((IdSource::Sequence, _)) => quote!(Sequence),
    };
    quote!(::rillflow::__private::IdSource::#source)
}

/// What only documents have whose ids are made. The type of the id is checked where it is said who makes it.
fn generated_id(document: &Document) -> TokenStream {
    let Some((_, span)) = document.id_field().and_then(|id| id.attrs.id_source) else { return TokenStream::new() };
    let ident = &document.fields.ident;
    let check = quote_spanned!(span=> ::rillflow::__private::made_id(__TABLE.id_type, __TABLE.id_source));
    quote! {
        impl ::rillflow::__private::GeneratedId for #ident {}
        const _: () = #check;
    }
}

fn id_key(document: &Document) -> &str {
    document.id_field().map_or("id", |id| &id.key)
}

fn id_methods(field: &Ident, ty: &Type) -> TokenStream {
    quote! {
        type Id = #ty;
        fn id(&self) -> &#ty { &self.#field }
        fn set_id(&mut self, id: #ty) { self.#field = id; }
    }
}
