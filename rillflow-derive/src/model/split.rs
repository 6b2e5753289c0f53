//! Events that are gone, and that several events are read for.

use std::collections::HashMap;

use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{DeriveInput, Ident, LitInt, Path, Type};

use super::event::EventVariant;
use crate::attrs::options::{self, span_of};
use crate::attrs::problems::Problems;
use crate::attrs::split::read;

/// One stored name and version, and the events that are read for it.
pub(crate) struct Split {
    pub(crate) name: String,
    pub(crate) version: i32,
    pub(crate) function: Path,
    /// The variant and payload of each.
    pub(crate) parts: Vec<(Ident, Type)>,
}

/// Checks the splits and notes every mistake.
pub(crate) fn check(item: &DeriveInput, events: &[EventVariant], problems: &mut Problems) -> Vec<Split> {
    let mut seen: HashMap<(String, i32), ()> = HashMap::new();
    let mut splits = Vec::new();
    for option in read(&item.attrs, problems) {
        let name = option.name.value();
        let version = options::version(option.version.as_ref(), problems);
        let span = option.version.as_ref().map_or(option.name.span(), LitInt::span);
        if let Some(event) = events.iter().find(|event| event.name == name || event.was.contains(&name)) {
            problems.at(
                option.name.span(),
                format_args!(
                    "`{name}` is read as `{}`: an event that is split is gone, so give that one another name",
                    event.ident
                ),
            );
        } else if seen.insert((name.clone(), version), ()).is_some() {
            problems.at(span, format_args!("version {version} of `{name}` is split already: keep one"));
        }
        if option.parts.len() < 2 {
            problems.at(
                option.function.span(),
                "an event is split into two or more: `-> (Opened, Verified)`; one that has another name now says `was`",
            );
        }
        let parts = option.parts.into_iter().filter_map(|part| variant_of(part, events, problems)).collect();
        splits.push(Split { name, version, function: option.function, parts });
    }
    splits
}

fn variant_of(part: Type, events: &[EventVariant], problems: &mut Problems) -> Option<(Ident, Type)> {
    let text = part.to_token_stream().to_string();
    let event = events.iter().find(|event| event.payload.to_token_stream().to_string() == text);
    if event.is_none() {
        problems.at(
            span_of(&part),
            "no variant holds this payload: list the payloads that the function returns, as the variants write them",
        );
    }
    event.map(|event| (event.ident.clone(), part))
}
