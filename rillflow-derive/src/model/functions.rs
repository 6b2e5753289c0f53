//! What the handlers of aggregates and of projections have in common.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, GenericParam, Ident, ImplItem, ImplItemFn, Item, ItemImpl, ReturnType, Type};

use crate::attrs::options::span_of;
use crate::attrs::problems::Problems;

/// The impl inside the item that an attribute stands on.
pub(crate) fn impl_of(item: TokenStream, attribute: &str, problems: &mut Problems) -> Option<ItemImpl> {
    match syn::parse2(item) {
        Ok(Item::Impl(item)) => return Some(item),
        Ok(_) => problems.at(Span::call_site(), format_args!("`{attribute}` goes on an `impl` block")),
        Err(error) => problems.push(error),
    }
    None
}

/// Refuses trait impls and generic ones.
pub(crate) fn plain_impl(item: &ItemImpl, attribute: &str, problems: &mut Problems) {
    if let Some((path, _)) = &item.trait_ {
        problems.at(path.span(), format_args!("`{attribute}` goes on the type's own `impl` block, not on a trait's"));
    }
    if !item.generics.params.is_empty() {
        problems.at(item.generics.span(), format_args!("`{attribute}` goes on a type without generic parameters"));
    }
}

/// The functions of an impl.
pub(crate) fn functions(item: &ItemImpl) -> impl Iterator<Item = &ImplItemFn> {
    item.items.iter().filter_map(|item| if let ImplItem::Fn(f) = item { Some(f) } else { None })
}

/// True for `on_*`.
pub(crate) fn is_handler(f: &ImplItemFn) -> bool {
    f.sig.ident.to_string().starts_with("on_")
}

/// The conditions that a function is compiled under.
pub(crate) fn cfgs(f: &ImplItemFn) -> Vec<Attribute> {
    f.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect()
}

/// Refuses a function that generated code could not call.
pub(crate) fn plain_function(f: &ImplItemFn) -> syn::Result<()> {
    match f.sig.generics.params.iter().find(|param| !matches!(param, GenericParam::Lifetime(_))) {
        Some(param) => refuse(param.span(), "this function handles one event, so it has no generic parameters"),
        None => Ok(()),
    }
}

/// The `T` of an argument `e: &T`.
pub(crate) fn by_reference(arg: &FnArg, shape: &str) -> syn::Result<Type> {
    let FnArg::Typed(arg) = arg else { return refuse(arg.span(), shape) };
    match &*arg.ty {
        Type::Reference(reference) if reference.mutability.is_none() => Ok((*reference.elem).clone()),
        Type::Reference(reference) => {
            refuse(reference.and_token.span, format!("an event has happened and does not change: {shape}"))
        }
        other => refuse(span_of(other), format!("take the event by reference: {shape}")),
    }
}

/// The event that the function is meant for, as far as it can be told, for a message. It is not `other`.
pub(crate) fn wanted(f: &ImplItemFn, other: &str) -> String {
    let types = || {
        f.sig.inputs.iter().filter_map(|arg| match arg {
            FnArg::Typed(arg) => Some(&*arg.ty),
            FnArg::Receiver(_) => None,
        })
    };
    let reference = types().find_map(|ty| match ty {
        Type::Reference(it) if it.mutability.is_none() && text(&it.elem) != other => Some(&*it.elem),
        _ => None,
    });
    let value = || types().find(|ty| matches!(ty, Type::Path(_)) && text(ty) != other);
    reference.or_else(value).map_or_else(|| "SomeEvent".to_owned(), text)
}

/// A type as people write it.
pub(crate) fn text(ty: &Type) -> String {
    ty.to_token_stream().to_string().replace(' ', "")
}

/// Refuses an event with two handlers, and one that is both handled and ignored.
pub(crate) fn once_each<'a>(
    handled: impl Iterator<Item = (&'a Ident, &'a Type)>,
    ignored: &'a [Type],
    problems: &mut Problems,
) {
    let mut seen: Vec<(String, String)> = Vec::new();
    for (ident, event) in handled {
        let name = text(event);
        match seen.iter().find(|(known, _)| *known == name) {
            Some((_, first)) => problems
                .at(span_of(event), format_args!("`{first}` handles `{name}` already: an event has one handler")),
            None => seen.push((name, ident.to_string())),
        }
    }
    for event in ignored {
        let name = text(event);
        match seen.iter().find(|(known, _)| *known == name) {
            Some((_, first)) => problems.at(
                span_of(event),
                format_args!("`{first}` already says what happens on `{name}`: remove one of the two"),
            ),
            None => seen.push((name, "ignore(..)".to_owned())),
        }
    }
}

/// True for no result, written or not.
pub(crate) fn returns_nothing(output: &ReturnType) -> bool {
    match output {
        ReturnType::Default => true,
        ReturnType::Type(_, ty) => matches!(&**ty, Type::Tuple(tuple) if tuple.elems.is_empty()),
    }
}

/// An error at `span`.
pub(crate) fn refuse<T>(span: Span, message: impl std::fmt::Display) -> syn::Result<T> {
    Err(syn::Error::new(span, message))
}
