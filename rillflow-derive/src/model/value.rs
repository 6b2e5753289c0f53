//! `#[derive(DocumentValue)]`: an enum, or a newtype.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DataEnum, DataStruct, DeriveInput, Fields, Generics, Member, Type, Variant};

use super::fields::{Around, Field, Kind, Struct, check_field};
use crate::attrs::document::{FieldAttrs, read_field};
use crate::attrs::problems::Problems;
use crate::attrs::serde::{self, Serde, snake_case};

/// A checked value type.
pub(crate) struct DocumentValue {
    pub(crate) ident: Ident,
    pub(crate) shape: Shape,
}

/// What it is.
pub(crate) enum Shape {
    /// Each variant with its JSON text.
    Enum(Vec<(Ident, String)>),
    /// Variants that hold data, or whose name is under a key.
    Tagged(Box<Tagged>),
    /// Variants that only their content tells apart.
    Untagged,
    /// The one field and its type.
    Newtype(Member, Box<Type>),
}

/// An enum whose variants queries tell apart.
pub(crate) struct Tagged {
    pub(crate) tagging: Tagging,
    /// What closures see of it: a field per variant that holds something, and the tag.
    pub(crate) paths: Struct,
    /// The fields of variants that have some, each as a struct of its own.
    pub(crate) contents: Vec<Struct>,
    /// The variants, each with the method that tells it, and its JSON name.
    pub(crate) tests: Vec<(Ident, String)>,
}

/// Where serde writes the variant's name.
pub(crate) enum Tagging {
    /// As the key of what it holds, or alone.
    External,
    /// Under a key beside its fields.
    Internal(String),
    /// Under a key, and what it holds under another.
    Adjacent(String, String),
}

impl Tagging {
    pub(crate) fn is_external(&self) -> bool {
        matches!(self, Self::External)
    }
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
        Data::Enum(data) => check_enum(input, data, &serde, problems)?,
        Data::Struct(data) => check_newtype(input, data, &serde, problems)?,
        Data::Union(_) => {
            problems.at(input.ident.span(), "`DocumentValue` needs an enum or a newtype");
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

fn check_enum(input: &DeriveInput, data: &DataEnum, serde: &Serde, problems: &mut Problems) -> Option<Shape> {
    if data.variants.is_empty() {
        problems.at(data.brace_token.span.join(), "`DocumentValue` needs at least one variant");
        return None;
    }
    if serde.untagged {
        return Some(Shape::Untagged);
    }
    let tagging = match (&serde.tag, &serde.content) {
        (None, _) => Tagging::External,
        (Some(tag), None) => Tagging::Internal(tag.value()),
        (Some(tag), Some(content)) => Tagging::Adjacent(tag.value(), content.value()),
    };
    if matches!(tagging, Tagging::External) && data.variants.iter().all(|variant| variant.fields.is_empty()) {
        let name = |variant: &Variant| (variant.ident.clone(), variant_name(variant, serde, problems));
        return Some(Shape::Enum(data.variants.iter().map(name).collect()));
    }
    Some(Shape::Tagged(Box::new(tagged(input, data, serde, tagging, problems))))
}

fn variant_name(variant: &Variant, serde: &Serde, problems: &mut Problems) -> String {
    let own = serde::read(&variant.attrs, problems);
    own.rename.unwrap_or_else(|| serde.rename_all.variant(&variant.ident.unraw().to_string()))
}

fn tagged(input: &DeriveInput, data: &DataEnum, serde: &Serde, tagging: Tagging, problems: &mut Problems) -> Tagged {
    let paths = Struct {
        ident: input.ident.clone(),
        vis: input.vis.clone(),
        generics: Generics::default(),
        fields: Vec::new(),
    };
    let mut tagged = Tagged { tagging, paths, contents: Vec::new(), tests: Vec::new() };
    if let Tagging::Internal(tag) | Tagging::Adjacent(tag, _) = &tagged.tagging {
        let ident = Ident::new("variant", input.ident.span());
        let ty = syn::parse_quote!(::std::string::String);
        tagged.paths.fields.push(part(ident, input, ty, tag.clone()));
    }
    for variant in &data.variants {
        if !tagged.tagging.is_external() && variant.ident == "Variant" {
            problems.at(variant.ident.span(), "`variant` is the path of the tag: give this variant another name, and keep its JSON with `#[serde(rename = \"..\")]`");
            continue;
        }
        let own = serde::read(&variant.attrs, problems);
        if own.skip || own.untagged {
            continue;
        }
        let name = own.rename.clone().unwrap_or_else(|| serde.rename_all.variant(&variant.ident.unraw().to_string()));
        let member = snake_case(&variant.ident.unraw().to_string());
        tagged.tests.push((Ident::new(&format!("is_{member}"), variant.ident.span()), name.clone()));
        if let Some(ty) = content(input, variant, serde, &own, &mut tagged.contents, problems) {
            let mut field = part(plain_or_raw(&member, variant.ident.span()), input, ty, String::new());
            (field.optional, field.conditional) = (true, true);
            match &tagged.tagging {
                Tagging::External => field.key = name,
                Tagging::Internal(tag) => {
                    field.flat = true;
                    field.guard = Some((tag.clone(), name));
                }
                Tagging::Adjacent(tag, content) => {
                    field.key.clone_from(content);
                    field.guard = Some((tag.clone(), name));
                }
            }
            tagged.paths.fields.push(field);
        }
    }
    tagged
}

/// The type of what a variant holds, if queries may look into it.
fn content(
    input: &DeriveInput,
    variant: &Variant,
    serde: &Serde,
    own: &Serde,
    contents: &mut Vec<Struct>,
    problems: &mut Problems,
) -> Option<Type> {
    let marks = read_field(&variant.attrs, problems);
    if !own.reshaped.is_empty() || marks.opaque.is_some() || marks.skip.is_some() {
        return None;
    }
    match &variant.fields {
        Fields::Named(named) => {
            let rename_all = own.rename_all.or(serde.rename_all_fields);
            let around = Around { vis: &input.vis, kind: Kind::Fields, rename_all, optional: false };
            let fields = named.named.iter().filter_map(|field| check_field(field, &input.vis, &around, problems));
            let ident = format_ident!("{}_{}", input.ident.unraw(), variant.ident.unraw());
            let (vis, generics) = (input.vis.clone(), Generics::default());
            contents.push(Struct { ident: ident.clone(), vis, generics, fields: fields.collect() });
            Some(syn::parse_quote!(#ident))
        }
        Fields::Unnamed(unnamed) if unnamed.unnamed.len() == 1 => {
            let field = &unnamed.unnamed[0];
            let (of_field, marks) = (serde::read(&field.attrs, problems), read_field(&field.attrs, problems));
            let hidden =
                of_field.skip || !of_field.reshaped.is_empty() || marks.opaque.is_some() || marks.skip.is_some();
            (!hidden).then(|| field.ty.clone())
        }
        _ => None,
    }
}

/// `card`, or `r#move` where the plain word is a keyword.
fn plain_or_raw(name: &str, span: Span) -> Ident {
    match syn::parse_str::<Ident>(name) {
        Ok(_) => Ident::new(name, span),
        Err(_) => Ident::new_raw(name, span),
    }
}

/// A member of the paths of an enum.
fn part(ident: Ident, input: &DeriveInput, ty: Type, key: String) -> Field {
    let name = ident.unraw().to_string();
    let attrs = FieldAttrs::default();
    Field {
        ident,
        name,
        vis: input.vis.clone(),
        ty,
        key,
        optional: false,
        flat: false,
        conditional: false,
        guard: None,
        attrs,
    }
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
