//! An aggregate: a type, its events and its stream.

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, ExprPath, Field, Ident, LitInt, Type, Visibility};

use super::names;
use super::projection::shards;
use crate::attrs::aggregate::read;
use crate::attrs::options;
use crate::attrs::problems::Problems;

/// The aggregate.
pub(crate) struct Aggregate {
    pub(crate) ident: Ident,
    pub(crate) events: Type,
    pub(crate) stream: String,
    pub(crate) snapshot_every: Option<SnapshotEvery>,
    pub(crate) snapshot_version: i32,
    /// How many shards it begins with, kept as a document.
    pub(crate) shards: Option<i32>,
    /// The fields as they are written, with what serde is told of them.
    pub(crate) shape: String,
    pub(crate) validate: Option<ExprPath>,
}

/// How often a snapshot is kept, and where that was asked for.
pub(crate) struct SnapshotEvery {
    pub(crate) events: u32,
    pub(crate) span: Span,
}

/// Checks it and notes every mistake.
pub(crate) fn check(item: &DeriveInput, problems: &mut Problems) -> Option<Aggregate> {
    let options = read(&item.attrs, problems);
    if !item.generics.params.is_empty() {
        problems
            .at(item.generics.span(), "an aggregate has no generic parameters: it is the state of one kind of stream");
    }
    let stream = match &options.stream {
        Some(stream) => stream.value(),
        None => names::kebab(&item.ident.to_string()),
    };
    if stream.is_empty() {
        problems.at(options.stream.span(), "a stream's category is not empty, such as `order`");
    }
    if stream.contains('\0') {
        problems.at(options.stream.span(), "PostgreSQL cannot store the NUL character: choose another category");
    }
    let snapshot_every = options.snapshot_every.as_ref().and_then(|lit| every(lit, problems));
    let snapshot_version = options::version(options.snapshot_version.as_ref(), problems);
    let shards = shards(options.shards.as_ref(), problems);
    let Some(events) = options.events else {
        if problems.is_empty() {
            problems.at(
                item.ident.span(),
                format_args!("say which events make up this aggregate: `#[aggregate(events = {}Event)]`", item.ident),
            );
        }
        return None;
    };
    Some(Aggregate {
        ident: item.ident.clone(),
        events,
        stream,
        snapshot_every,
        snapshot_version,
        shards,
        shape: shape(item),
        validate: options.validate,
    })
}

fn every(lit: &LitInt, problems: &mut Problems) -> Option<SnapshotEvery> {
    match lit.base10_parse::<u32>() {
        Ok(events @ 1..) => return Some(SnapshotEvery { events, span: lit.span() }),
        _ => problems.at(lit.span(), "snapshots are kept every so many events: a whole number from 1, such as `100`"),
    }
    None
}

/// What decides the JSON of a snapshot, as far as the item itself says: fields, their types, what serde is told.
fn shape(item: &DeriveInput) -> String {
    let mut item = item.clone();
    only_serde(&mut item.attrs);
    let fields: Vec<&mut Field> = match &mut item.data {
        Data::Struct(data) => data.fields.iter_mut().collect(),
        Data::Enum(data) => {
            data.variants.iter_mut().for_each(|variant| only_serde(&mut variant.attrs));
            data.variants.iter_mut().flat_map(|variant| &mut variant.fields).collect()
        }
        Data::Union(data) => data.fields.named.iter_mut().collect(),
    };
    for field in fields {
        only_serde(&mut field.attrs);
        field.vis = Visibility::Inherited;
    }
    item.vis = Visibility::Inherited;
    // blanks between tokens are the compiler's own and may change with it
    item.to_token_stream().to_string().split_whitespace().collect()
}

fn only_serde(attrs: &mut Vec<Attribute>) {
    attrs.retain(|attr| attr.path().is_ident("serde"));
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::shape;

    #[test]
    fn the_shape_is_what_decides_the_json_and_nothing_else() {
        let order = shape(&parse_quote! { struct Order { total: i64, state: State } });
        let same = [
            parse_quote! { pub(crate) struct Order { pub total: i64, state: State } },
            parse_quote! { #[derive(Debug)] #[aggregate(events = E)] struct Order { #[doc = "x"] total: i64, state: State } },
        ];
        let other = [
            parse_quote! { struct Order { total: i32, state: State } },
            parse_quote! { struct Order { sum: i64, state: State } },
            parse_quote! { struct Order { #[serde(rename = "sum")] total: i64, state: State } },
            parse_quote! { #[serde(rename_all = "camelCase")] struct Order { total: i64, state: State } },
            parse_quote! { struct Order { state: State } },
        ];
        assert!(same.iter().all(|it| shape(it) == order));
        assert!(other.iter().all(|it| shape(it) != order));
    }
}
