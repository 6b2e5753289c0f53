//! What a document's table has beside the document: columns, references, indexes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::condition::condition;
use super::fields::paths_ident;
use super::operands::{Values, literal_type};
use super::paths::with_paths;
use crate::attrs::index::Kind;
use crate::model::document::Document;
use crate::model::index::Index;
use crate::model::stored::StoredColumn;

/// `&Document::PATHS.address.city`
fn path_to(document: &Ident, path: &[Ident], span: Span) -> TokenStream {
    quote_spanned!(span=> &<#document as ::rillflow::__private::Document>::PATHS #(.#path)*)
}

/// The path of a field with a column.
pub(super) fn column(document: &Ident, at: usize, column: &StoredColumn) -> TokenStream {
    if column.references.is_some() {
        let reference = reference_ident(at);
        return quote!(#reference.0);
    }
    let span = column.span();
    let path = path_to(document, &column.path, span);
    quote_spanned!(span=> ::rillflow::__private::place_of(#path))
}

fn reference_ident(at: usize) -> Ident {
    format_ident!("__REFERENCE_{at}")
}

/// A field that holds an id of the other document, or rustc says so at that document's name.
pub(super) fn reference(document: &Ident, at: usize, column: &StoredColumn) -> Option<TokenStream> {
    let target = &column.references.as_ref()?.target;
    let (ident, span) = (reference_ident(at), target.span());
    let path = path_to(document, &column.path, column.span());
    // named, so that what is wrong is underlined as one token
    let reference = quote_spanned! {span=> {
        let __field = #path;
        ::rillflow::__private::refers_to::<#target, _>(__field)
    }};
    Some(quote! {
        const #ident: (&'static ::rillflow::__private::PathInfo, &'static str) = #reference;
    })
}

/// What rustc does not know of a key or a column by its type: apart from the keys, so that one is reported once.
pub(super) fn key_checks(document: &Document) -> TokenStream {
    let name = document.fields.ident.unraw().to_string();
    let check = |function: &str, span: Span, path: &TokenStream| {
        let function = Ident::new(function, span);
        quote_spanned!(span=> const _: () = ::rillflow::__private::#function(#name, #path);)
    };
    let columns = document.columns.iter().enumerate().filter(|(_, column)| column.references.is_none());
    let columns = columns.map(|(at, column)| check("check_key", column.span(), &quote!(__TABLE.columns[#at])));
    let keys = document
        .indexes
        .iter()
        .enumerate()
        .flat_map(|(at, index)| index.keys.iter().enumerate().map(move |(key_at, key)| (at, index, key_at, key)));
    let keys = keys.filter_map(|(at, index, key_at, key)| {
        let function = match index.kind {
            Kind::TextPattern | Kind::Trigram | Kind::FullText => "check_text_key",
            _ if document.columns.iter().any(|column| column.path == key.path) => return None,
            _ => "check_key",
        };
        let span = key.path.last().map_or_else(Span::call_site, Ident::span);
        Some(check(function, span, &quote!(__INDEXES[#at].keys[#key_at].path)))
    });
    columns.chain(keys).collect()
}

/// What a column is called, and the fields that lead to it.
pub(super) fn column_name(column: &StoredColumn) -> TokenStream {
    let (name, fields) = (&column.name, column.path.iter().map(|field| field.unraw().to_string()));
    quote!(::rillflow::__private::ColumnOf { name: #name, fields: &[#(#fields),*] })
}

pub(super) fn stored_column(at: usize, column: &StoredColumn) -> TokenStream {
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

pub(super) fn foreign_key(at: usize, column: &StoredColumn) -> Option<TokenStream> {
    let (name, reference) = (&column.references.as_ref()?.name, reference_ident(at));
    Some(quote! {
        ::rillflow::__private::ForeignKeyDefinition {
            name: #name,
            column: __TABLE.columns[#at],
            references: #reference.1,
        }
    })
}

pub(super) fn rendered_key(at: usize) -> TokenStream {
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
pub(super) fn full_text(document: &Document) -> TokenStream {
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

pub(super) fn full_text_index(document: &Document) -> Option<usize> {
    document.indexes.iter().position(|index| index.kind == Kind::FullText)
}

pub(super) fn definition(of: &Document, index: &Index) -> TokenStream {
    let document = &of.fields.ident;
    let (name, unique) = (&index.name, index.kind == Kind::Unique);
    let method = match index.kind {
        Kind::Plain | Kind::Unique => quote!(BTree),
        Kind::Gin => quote!(Gin),
        Kind::TextPattern => quote!(TextPattern),
        Kind::Trigram => quote!(Trigram),
        Kind::FullText => quote!(FullText),
    };
    let language = index.language.clone().unwrap_or_default();
    let (condition, not_deleted) = (partial(document, index), index.not_deleted);
    let keys = index.keys.iter().map(|key| {
        let (descending, nulls_first) = (key.descending, key.nulls_first);
        let span = key.path.last().map_or_else(Span::call_site, Ident::span);
        let path = match of.columns.iter().position(|column| column.path == key.path) {
            // what is wrong with a column is said of the column
            Some(at) => quote!(__TABLE.columns[#at]),
            None => {
                let path = path_to(document, &key.path, span);
                quote_spanned!(span=> ::rillflow::__private::place_of(#path))
            }
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

pub(super) fn rendered(at: usize, index: &Index) -> TokenStream {
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
