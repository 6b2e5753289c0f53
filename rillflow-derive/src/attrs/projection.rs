//! `#[projection(name = "..", version = n, events = .., document = .., key = stream, on_failure = .., shards = n, ignore(..))]`.

use proc_macro2::TokenStream;
use syn::{Ident, LitInt, LitStr, Type};

use super::options;
use super::problems::Problems;

/// The options of a projection, as written.
#[derive(Default)]
pub(crate) struct ProjectionOptions {
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitInt>,
    pub(crate) events: Option<Type>,
    pub(crate) document: Option<Type>,
    pub(crate) key: Option<Ident>,
    pub(crate) on_failure: Option<Ident>,
    pub(crate) shards: Option<LitInt>,
    pub(crate) ignored: Vec<Type>,
}

/// Reads them.
pub(crate) fn read(attr: TokenStream, problems: &mut Problems) -> ProjectionOptions {
    let mut options = ProjectionOptions::default();
    let expected = "`name`, `version`, `events`, `document`, `key = stream`, `on_failure`, `shards` or `ignore(..)`";
    options::of_macro(attr, expected, problems, |meta, problems| {
        if meta.path.is_ident("name") {
            options::value(meta, &mut options.name, problems)
        } else if meta.path.is_ident("version") {
            options::value(meta, &mut options.version, problems)
        } else if meta.path.is_ident("events") {
            options::value(meta, &mut options.events, problems)
        } else if meta.path.is_ident("document") {
            options::value(meta, &mut options.document, problems)
        } else if meta.path.is_ident("key") {
            options::value(meta, &mut options.key, problems)
        } else if meta.path.is_ident("on_failure") {
            options::value(meta, &mut options.on_failure, problems)
        } else if meta.path.is_ident("shards") {
            options::value(meta, &mut options.shards, problems)
        } else if meta.path.is_ident("ignore") {
            options::types(meta, &mut options.ignored)
        } else {
            Ok(false)
        }
    });
    options
}
