//! `#[aggregate(events = .., stream = "..", snapshot_every = .., shards = n, validate = ..)]` on the type and `#[handlers(ignore(..))]` on its impl.

use proc_macro2::TokenStream;
use syn::{Attribute, ExprPath, LitInt, LitStr, Type};

use super::options;
use super::problems::Problems;

/// The options of an aggregate, as written.
#[derive(Default)]
pub(crate) struct AggregateOptions {
    pub(crate) events: Option<Type>,
    pub(crate) stream: Option<LitStr>,
    pub(crate) snapshot_every: Option<LitInt>,
    pub(crate) snapshot_version: Option<LitInt>,
    pub(crate) shards: Option<LitInt>,
    pub(crate) validate: Option<ExprPath>,
}

/// Reads them.
pub(crate) fn read(attrs: &[Attribute], problems: &mut Problems) -> AggregateOptions {
    let mut options = AggregateOptions::default();
    let expected = "`events = SomeEvent`, `stream = \"..\"`, `snapshot_every = 100`, `snapshot_version = 2`, \
                    `shards = 4` or `validate = some_function`";
    options::of_helpers(attrs, "aggregate", expected, problems, |meta, problems| {
        if meta.path.is_ident("events") {
            options::value(meta, &mut options.events, problems)
        } else if meta.path.is_ident("stream") {
            options::value(meta, &mut options.stream, problems)
        } else if meta.path.is_ident("snapshot_every") {
            options::value(meta, &mut options.snapshot_every, problems)
        } else if meta.path.is_ident("snapshot_version") {
            options::value(meta, &mut options.snapshot_version, problems)
        } else if meta.path.is_ident("shards") {
            options::value(meta, &mut options.shards, problems)
        } else if meta.path.is_ident("validate") {
            options::value(meta, &mut options.validate, problems)
        } else {
            Ok(false)
        }
    });
    options
}

/// Reads the events that `#[handlers(ignore(..))]` lists.
pub(crate) fn ignored(attr: TokenStream, problems: &mut Problems) -> Vec<Type> {
    let mut ignored = Vec::new();
    options::of_macro(attr, "`ignore(SomeEvent)`", problems, |meta, _| {
        if meta.path.is_ident("ignore") { options::types(meta, &mut ignored) } else { Ok(false) }
    });
    ignored
}
