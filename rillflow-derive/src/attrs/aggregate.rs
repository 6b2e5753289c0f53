//! `#[aggregate(events = .., stream = "..")]` on the type and `#[handlers(ignore(..))]` on its impl.

use proc_macro2::TokenStream;
use syn::{Attribute, LitStr, Type};

use super::options;
use super::problems::Problems;

/// The options of an aggregate, as written.
#[derive(Default)]
pub(crate) struct AggregateOptions {
    pub(crate) events: Option<Type>,
    pub(crate) stream: Option<LitStr>,
}

/// Reads them.
pub(crate) fn read(attrs: &[Attribute], problems: &mut Problems) -> AggregateOptions {
    let mut options = AggregateOptions::default();
    let expected = "`events = SomeEvent` or `stream = \"..\"`";
    options::of_helpers(attrs, "aggregate", expected, problems, |meta, problems| {
        if meta.path.is_ident("events") {
            options::value(meta, &mut options.events, problems)
        } else if meta.path.is_ident("stream") {
            options::value(meta, &mut options.stream, problems)
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
