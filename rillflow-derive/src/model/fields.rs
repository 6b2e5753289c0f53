//! The named fields of a struct, with the JSON key of each.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Fields, GenericParam, Generics, Type, Visibility, parse_quote};

use crate::attrs::document::{FieldAttrs, read_field};
use crate::attrs::problems::Problems;
use crate::attrs::serde::{self, Rule, Serde};

/// A struct whose fields have paths.
pub(crate) struct Struct {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    /// Its type parameters, each of them a document value.
    pub(crate) generics: Generics,
    /// Those with a path.
    pub(crate) fields: Vec<Field>,
}

/// One field.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    /// Its name without `r#`.
    pub(crate) name: String,
    /// Who may see its path: those who see both the struct and the field.
    pub(crate) vis: Visibility,
    pub(crate) ty: Type,
    pub(crate) key: String,
    /// True when serde may leave the key out.
    pub(crate) optional: bool,
    /// True when it has no key of its own: its fields lie beside the others.
    pub(crate) flat: bool,
    /// True when it is there in one variant of an enum only.
    pub(crate) conditional: bool,
    /// The key of that enum's tag, and the variant's name there.
    pub(crate) guard: Option<(String, String)>,
    pub(crate) attrs: FieldAttrs,
}

/// What is derived, in messages.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Document,
    Fields,
}

impl Kind {
    const fn derive(self) -> &'static str {
        match self {
            Self::Document => "Document",
            Self::Fields => "DocumentFields",
        }
    }
}

/// Reads and checks the fields. `None` when there is nothing to go on with.
pub(crate) fn check(input: &DeriveInput, kind: Kind, problems: &mut Problems) -> Option<Struct> {
    let derive = kind.derive();
    let generics = check_generics(input, kind, problems)?;
    let Data::Struct(data) = &input.data else {
        problems.at(input.ident.span(), format!("`{derive}` needs a struct with named fields"));
        return None;
    };
    let Fields::Named(named) = &data.fields else {
        problems.at(input.ident.span(), format!("`{derive}` needs a struct with named fields"));
        return None;
    };
    let container = serde::read(&input.attrs, problems);
    check_container(&container, problems);
    let around = Around { vis: &input.vis, kind, rename_all: container.rename_all, optional: container.optional };
    let fields = named.named.iter().filter_map(|field| check_field(field, &field.vis, &around, problems)).collect();
    Some(Struct { ident: input.ident.clone(), vis: input.vis.clone(), generics, fields })
}

/// A nested struct may have type parameters; a document may not.
fn check_generics(input: &DeriveInput, kind: Kind, problems: &mut Problems) -> Option<Generics> {
    let mut generics = input.generics.clone();
    for parameter in &mut generics.params {
        match parameter {
            GenericParam::Type(ty) if kind == Kind::Fields => {
                ty.default = None;
                ty.bounds.push(parse_quote!(::rillflow::__private::DocumentValue));
            }
            other if kind == Kind::Fields => {
                problems.at(other.span(), "a nested struct may have type parameters only");
                return None;
            }
            other => {
                problems.at(
                    other.span(),
                    "`Document` needs a type without parameters: one collection holds one type, so name the concrete types",
                );
                return None;
            }
        }
    }
    Some(generics)
}

fn check_container(serde: &Serde, problems: &mut Problems) {
    let transparent = serde.transparent.map(|span| ("transparent".to_owned(), span));
    let tag = serde.tag.as_ref().map(|tag| ("tag".to_owned(), tag.span()));
    for (option, span) in serde.reshaped.iter().cloned().chain(transparent).chain(tag) {
        problems.at(
            span,
            format!("`{option}` changes the JSON of the whole struct, so its fields would not be found: remove it"),
        );
    }
}

/// What holds for every field of a struct, or of a variant.
pub(crate) struct Around<'a> {
    pub(crate) vis: &'a Visibility,
    pub(crate) kind: Kind,
    pub(crate) rename_all: Rule,
    /// True when any of them may be missing.
    pub(crate) optional: bool,
}

/// A field with a path; none for a field that is not in the JSON or was taken out of queries.
pub(crate) fn check_field(
    field: &syn::Field,
    vis: &Visibility,
    around: &Around<'_>,
    problems: &mut Problems,
) -> Option<Field> {
    let ident = field.ident.clone()?;
    let serde = serde::read(&field.attrs, problems);
    let attrs = read_field(&field.attrs, problems);
    if let (Kind::Fields, Some(span)) = (around.kind, attrs.declared()) {
        problems.at(span, "ids and indexes belong to the document: declare `index(address.city)` on its struct");
    }
    if serde.skip || attrs.skip.is_some() {
        refuse_skipped(&attrs, problems);
        return None;
    }
    refuse_reshaped(&serde, &attrs, problems)?;
    let name = ident.unraw().to_string();
    let key = serde.rename.unwrap_or_else(|| around.rename_all.field(&name));
    if key.contains('\0') {
        problems.at(ident.span(), "PostgreSQL cannot store the NUL character: choose another name");
    }
    let vis = narrower(around.vis, vis);
    let optional = serde.optional || around.optional;
    let flat = serde.flatten.is_some();
    Some(Field { ident, name, vis, ty: field.ty.clone(), key, optional, flat, conditional: false, guard: None, attrs })
}

fn refuse_skipped(attrs: &FieldAttrs, problems: &mut Problems) {
    let marked: Option<Span> = attrs.declared();
    if let Some(span) = marked {
        problems.at(span, "this field is skipped: an id or an index needs its value in the JSON");
    }
}

/// `None` when the field has no path that could be trusted.
fn refuse_reshaped(serde: &Serde, attrs: &FieldAttrs, problems: &mut Problems) -> Option<()> {
    let marked = attrs.declared().or(attrs.opaque);
    if let (Some(_), Some(span)) = (serde.flatten, marked) {
        problems.at(
            span,
            "a flattened field has no key of its own: it can only be taken out of queries, with `#[document(skip)]`",
        );
        return None;
    }
    for (option, span) in &serde.reshaped {
        if attrs.opaque.is_none() {
            problems.at(
                *span,
                format!("`{option}` decides how this field is written, so queries cannot know its JSON: mark it `#[document(opaque)]`"),
            );
            return None;
        }
    }
    Some(())
}

/// Who sees a field of a struct. A path must not be more visible than the type at its end may be.
fn narrower(of_struct: &Visibility, of_field: &Visibility) -> Visibility {
    let narrow = match (of_struct, of_field) {
        (Visibility::Inherited, _) | (_, Visibility::Public(_)) => of_struct,
        (Visibility::Restricted(_), Visibility::Restricted(field)) if field.path.is_ident("crate") => of_struct,
        _ => of_field,
    };
    narrow.clone()
}
