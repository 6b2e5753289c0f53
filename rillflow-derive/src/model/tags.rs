//! `#[derive(EventTags)]`: a payload with named fields, some of which are tags.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Fields, Generics, Ident, LitStr, Type};

use crate::attrs::problems::Problems;
use crate::attrs::tags::read;

/// A payload.
pub(crate) struct TaggedPayload {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) tags: Vec<TagField>,
}

/// One of its tags.
pub(crate) struct TagField {
    pub(crate) field: Ident,
    pub(crate) ty: Type,
    pub(crate) name: String,
}

/// Checks the payload and notes every mistake.
pub(crate) fn check(item: &DeriveInput, problems: &mut Problems) -> Option<TaggedPayload> {
    let fields = match &item.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => &fields.named,
            _ => return no_payload(item, problems),
        },
        _ => return no_payload(item, problems),
    };
    let mut tags: Vec<TagField> = Vec::new();
    for field in fields {
        let (Some(tag), Some(ident)) = (read(&field.attrs, problems), &field.ident) else { continue };
        let name = tag.name.as_ref().map_or_else(|| ident.unraw().to_string(), LitStr::value);
        check_name(&name, tag.name.as_ref().map_or(tag.span, LitStr::span), &tags, problems);
        tags.push(TagField { field: ident.clone(), ty: field.ty.clone(), name });
    }
    if tags.is_empty() && problems.is_empty() {
        problems.at(item.ident.span(), "no field is a tag: mark what the event is about with `#[event(tag)]`");
    }
    Some(TaggedPayload { ident: item.ident.clone(), generics: item.generics.clone(), tags })
}

fn no_payload(item: &DeriveInput, problems: &mut Problems) -> Option<TaggedPayload> {
    problems.at(
        item.ident.span(),
        "`EventTags` is derived on the payload of an event, a struct with named fields: `struct Enrolled { #[event(tag)] course: CourseId }`",
    );
    None
}

fn check_name(name: &str, span: Span, before: &[TagField], problems: &mut Problems) {
    if name.is_empty() || name.contains(':') || name.contains('\0') || name.len() > 100 {
        problems.at(span, "a tag's name is 1 to 100 bytes long and holds no colon, which ends it: `course`");
    } else if let Some(first) = before.iter().find(|tag| tag.name == name) {
        problems.at(
            span,
            format_args!("`{}` is the tag `{name}` already: give this one another name, `tag = \"..\"`", first.field),
        );
    }
}
