//! An aggregate: a type, its events and its stream.

use syn::spanned::Spanned;
use syn::{DeriveInput, Ident, Type};

use super::names;
use crate::attrs::aggregate::read;
use crate::attrs::problems::Problems;

/// The aggregate.
pub(crate) struct Aggregate {
    pub(crate) ident: Ident,
    pub(crate) events: Type,
    pub(crate) stream: String,
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
    let Some(events) = options.events else {
        if problems.is_empty() {
            problems.at(
                item.ident.span(),
                format_args!("say which events make up this aggregate: `#[aggregate(events = {}Event)]`", item.ident),
            );
        }
        return None;
    };
    Some(Aggregate { ident: item.ident.clone(), events, stream })
}
