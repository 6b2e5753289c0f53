//! `#[derive(Document)]` and `#[derive(DocumentFields)]`: paths, and the collection with its indexes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{DeriveInput, Type};

use super::condition::condition;
use super::paths::with_paths;
use super::query::{Values, literal_type};
use crate::attrs::document::IdSource;
use crate::attrs::index::Kind;
use crate::model::document::Document;
use crate::model::fields::{Field, Struct};
use crate::model::index::Index;
use crate::model::quoted;
use crate::model::stored::StoredColumn;

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
fn paths(fields: &Struct) -> TokenStream {
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
fn value_type(field: &Field) -> TokenStream {
    let ty = &field.ty;
    match field.attrs.opaque {
        Some(_) => quote_spanned! {ty.span()=> ::rillflow::__private::serde_json::Value },
        None => quote!(#ty),
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
    let columns = document.columns.iter().map(|it| column(ident, it));
    let stored_columns = document.columns.iter().enumerate().map(|(at, it)| stored_column(at, it));
    let column_names = document.columns.iter().map(column_name);
    let foreign_keys: Vec<_> =
        document.columns.iter().enumerate().filter_map(|(at, it)| foreign_key(ident, at, it)).collect();
    let rendered_keys = (0..foreign_keys.len()).map(rendered_key);
    quote! {
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
            const TABLE: &'static str = __TABLE.name;
            const COLUMNS: &'static [::rillflow::__private::ColumnOf] = &[#(#column_names),*];
            const FULL_TEXT: ::core::option::Option<&'static ::rillflow::__private::IndexDefinition> = #searched;
            const INDEXES: &'static [::rillflow::__private::IndexDefinition] = __INDEXES;
            #id
        }
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

/// The path of a field with a column.
fn column(document: &Ident, column: &StoredColumn) -> TokenStream {
    let (name, span, path) = (document.unraw().to_string(), column.span(), &column.path);
    let paths = quote_spanned!(span=> <#document as ::rillflow::__private::Document>::PATHS);
    quote_spanned!(span=> ::rillflow::__private::index_key(#name, &#paths #(.#path)*))
}

/// What a column is called, and the fields that lead to it.
fn column_name(column: &StoredColumn) -> TokenStream {
    let (name, fields) = (&column.name, column.path.iter().map(|field| field.unraw().to_string()));
    quote!(::rillflow::__private::ColumnOf { name: #name, fields: &[#(#fields),*] })
}

fn stored_column(at: usize, column: &StoredColumn) -> TokenStream {
    let name = &column.name;
    quote! {
        ::rillflow::__private::StoredColumn {
            name: #name,
            add: ::rillflow::__private::sql_text!(
                ::rillflow::__private::Source::AddColumn(&__TABLE, __TABLE.columns[#at])
            ),
        }
    }
}

/// The field holds an id of the other document, or rustc says so at that document's name.
fn foreign_key(document: &Ident, at: usize, column: &StoredColumn) -> Option<TokenStream> {
    let key = column.references.as_ref()?;
    let (name, target, span) = (&key.name, &key.target, key.target.span());
    let path = column.path.iter().map(|field| {
        let mut field = field.clone();
        field.set_span(span);
        field
    });
    let paths = quote_spanned!(span=> <#document as ::rillflow::__private::Document>::PATHS);
    let table = quote_spanned!(span=> ::rillflow::__private::refers_to::<#target, _>(&#paths #(.#path)*));
    Some(quote! {
        ::rillflow::__private::ForeignKeyDefinition {
            name: #name,
            column: __TABLE.columns[#at],
            references: #table,
        }
    })
}

fn rendered_key(at: usize) -> TokenStream {
    quote! {
        ::rillflow::__private::ForeignKey {
            name: __FOREIGN_KEYS[#at].name,
            add: ::rillflow::__private::sql_text!(
                ::rillflow::__private::Source::ForeignKey(&__TABLE, &__FOREIGN_KEYS[#at])
            ),
            references: __FOREIGN_KEYS[#at].references,
        }
    }
}

/// `search` and `rank`: they ask for a full-text index, and say so where there is none.
fn full_text(document: &Document) -> TokenStream {
    let (ident, paths) = (&document.fields.ident, paths_ident(&document.fields));
    let index = full_text_index(document).map(|_| quote!(impl ::rillflow::__private::FullText for #ident {}));
    quote! {
        #index
        impl ::rillflow::__private::PathsOf<#ident> for #paths<::rillflow::__private::Root<#ident>> {}
        impl #paths<::rillflow::__private::Root<#ident>> {
            #[doc = "Documents that hold these words, as a search engine reads them."]
            pub const fn search<__D: ::rillflow::__private::FullText, __V: ::rillflow::__private::ComparableTo<::std::string::String>>(
                &self,
                words: __V,
            ) -> ::rillflow::__private::Search<__D, __V>
            where
                Self: ::rillflow::__private::PathsOf<__D>,
            {
                ::rillflow::__private::search(words)
            }
            #[doc = "How well a document fits the words of `search`, as a key of an order."]
            pub const fn rank<__D: ::rillflow::__private::FullText>(&self) -> ::rillflow::__private::Rank<__D>
            where
                Self: ::rillflow::__private::PathsOf<__D>,
            {
                ::rillflow::__private::Rank::NEW
            }
        }
    }
}

fn full_text_index(document: &Document) -> Option<usize> {
    document.indexes.iter().position(|index| index.kind == Kind::FullText)
}

fn definition(of: &Document, index: &Index) -> TokenStream {
    let document = &of.fields.ident;
    let (name, unique, document_name) = (&index.name, index.kind == Kind::Unique, document.unraw().to_string());
    let method = match index.kind {
        Kind::Plain | Kind::Unique => quote!(BTree),
        Kind::Gin => quote!(Gin),
        Kind::TextPattern => quote!(TextPattern),
        Kind::Trigram => quote!(Trigram),
        Kind::FullText => quote!(FullText),
    };
    let language = index.language.clone().unwrap_or_default();
    let (condition, not_deleted) = (partial(document, index), index.not_deleted);
    let key_of = match index.kind {
        Kind::TextPattern | Kind::Trigram | Kind::FullText => "text_key",
        _ => "index_key",
    };
    let keys = index.keys.iter().map(|key| {
        let (path, descending, nulls_first) = (&key.path, key.descending, key.nulls_first);
        let span = path.last().map_or_else(Span::call_site, Ident::span);
        let paths = quote_spanned!(span=> <#document as ::rillflow::__private::Document>::PATHS);
        let key_of = Ident::new(key_of, span);
        let path = match of.columns.iter().position(|column| column.path == *path) {
            // checked as a column: once is enough
            Some(at) if key_of == "index_key" => quote!(__TABLE.columns[#at]),
            _ => quote_spanned! {span=> ::rillflow::__private::#key_of(#document_name, &#paths #(.#path)*) },
        };
        quote! {
            ::rillflow::__private::SortKey { path: #path, descending: #descending, nulls_first: #nulls_first }
        }
    });
    quote! {
        ::rillflow::__private::IndexDefinition {
            name: #name,
            unique: #unique,
            method: ::rillflow::__private::IndexMethod::#method,
            keys: &[#(#keys),*],
            language: #language,
            condition: #condition,
            not_deleted: #not_deleted,
        }
    }
}

/// The condition of a partial index.
fn partial(document: &Ident, index: &Index) -> TokenStream {
    let Some(partial) = &index.partial else { return quote!(&::rillflow::__private::Node::Everything) };
    let literals = partial.literals.iter().enumerate().map(|(at, literal)| literal_type(at, literal));
    let (closure, tree) = (&partial.closure, condition(&partial.condition, &Values::LITERALS));
    let condition = with_paths(&Values::LITERALS, &document.clone().into(), closure, &closure.body, &tree);
    quote!({
        #(#literals)*
        ::rillflow::__private::node_of(&#condition)
    })
}

fn rendered(at: usize, index: &Index) -> TokenStream {
    let (name, unique) = (&index.name, index.kind == Kind::Unique);
    let requires = match index.kind {
        Kind::Trigram => quote!(::core::option::Option::Some("pg_trgm")),
        _ => quote!(::core::option::Option::None),
    };
    quote! {
        ::rillflow::__private::Index {
            name: #name,
            create: ::rillflow::__private::sql_text!(
                ::rillflow::__private::Source::Index(__TABLE.name, &__INDEXES[#at])
            ),
            unique: #unique,
            requires: #requires,
        }
    }
}
