//! `#[event(tag)]` and `#[event(tag = "name")]` on a payload's field.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Attribute, LitStr, Token};

use super::options;
use super::problems::Problems;

/// A tag as written: where, and the name that is given.
pub(crate) struct TagOption {
    pub(crate) span: Span,
    pub(crate) name: Option<LitStr>,
}

/// Reads it, when there is one.
pub(crate) fn read(attrs: &[Attribute], problems: &mut Problems) -> Option<TagOption> {
    let mut tag = None;
    options::of_helpers(attrs, "event", "`tag` or `tag = \"..\"`", problems, |meta, problems| {
        if !meta.path.is_ident("tag") {
            return Ok(false);
        }
        let name = if meta.input.peek(Token![=]) { Some(meta.value()?.parse()?) } else { None };
        if tag.replace(TagOption { span: meta.path.span(), name }).is_some() {
            problems.at(meta.path.span(), "this option is given twice: keep one");
        }
        Ok(true)
    });
    tag
}
