//! `#[derive(DocumentValue)]`: an enum of unit variants, or a newtype.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DataEnum, DataStruct, DeriveInput, Member, Type};

use crate::attrs::problems::Problems;
use crate::attrs::serde::{self, Serde};

/// A checked value type.
pub(crate) struct DocumentValue {
    pub(crate) ident: Ident,
    pub(crate) shape: Shape,
}

/// What it is.
pub(crate) enum Shape {
    /// Each variant with its JSON text.
    Enum(Vec<(Ident, String)>),
    /// The one field and its type.
    Newtype(Member, Box<Type>),
}

/// Checks the type. `None` when there is nothing to go on with.
pub(crate) fn check(input: &DeriveInput, problems: &mut Problems) -> Option<DocumentValue> {
    if let Some(parameter) = input.generics.params.first() {
        problems.at(parameter.span(), "`DocumentValue` needs a type without parameters");
        return None;
    }
    let serde = serde::read(&input.attrs, problems);
    refuse_reshaped(&serde, problems);
    let shape = match &input.data {
        Data::Enum(data) => check_enum(data, &serde, problems)?,
        Data::Struct(data) => check_newtype(input, data, &serde, problems)?,
        Data::Union(_) => {
            problems.at(input.ident.span(), "`DocumentValue` needs an enum of unit variants or a newtype");
            return None;
        }
    };
    Some(DocumentValue { ident: input.ident.clone(), shape })
}

fn refuse_reshaped(serde: &Serde, problems: &mut Problems) {
    for (option, span) in &serde.reshaped {
        problems.at(
            *span,
            format!("`{option}` changes how the value is written, so queries cannot compare it: remove it, or mark the field that holds it `#[document(opaque)]` instead of deriving `DocumentValue`"),
        );
    }
}

fn check_enum(data: &DataEnum, serde: &Serde, problems: &mut Problems) -> Option<Shape> {
    let mut variants = Vec::new();
    for variant in &data.variants {
        if !variant.fields.is_empty() {
            problems.at(
                variant.span(),
                "`DocumentValue` needs variants without data: mark the field that holds this enum `#[document(opaque)]`",
            );
            return None;
        }
        let own = serde::read(&variant.attrs, problems);
        let name = variant.ident.unraw().to_string();
        variants.push((variant.ident.clone(), own.rename.unwrap_or_else(|| serde.rename_all.variant(&name))));
    }
    if variants.is_empty() {
        problems.at(data.brace_token.span.join(), "`DocumentValue` needs at least one variant");
        return None;
    }
    Some(Shape::Enum(variants))
}

fn check_newtype(input: &DeriveInput, data: &DataStruct, serde: &Serde, problems: &mut Problems) -> Option<Shape> {
    let mut members = data.fields.members().zip(&data.fields);
    let (Some((member, field)), None) = (members.next(), members.next()) else {
        problems.at(
            input.ident.span(),
            "`DocumentValue` needs an enum of unit variants or a struct with one field; for more fields derive `DocumentFields`",
        );
        return None;
    };
    if matches!(member, Member::Named(_)) && serde.transparent.is_none() {
        problems.at(
            input.ident.span(),
            "a struct with a named field is written as an object: add `#[serde(transparent)]`, or derive `DocumentFields`",
        );
    }
    let own = serde::read(&field.attrs, problems);
    refuse_reshaped(&own, problems);
    Some(Shape::Newtype(member, Box::new(field.ty.clone())))
}
