//! The handlers of an aggregate: methods of one shape, one per event.

use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::{Attribute, Ident, ImplItemFn, ItemImpl, ReceiverKind, Type};

use super::functions::{
    by_reference, cfgs, functions, is_handler, once_each, plain_function, plain_impl, refuse, returns_nothing, wanted,
};
use crate::attrs::aggregate::ignored;
use crate::attrs::problems::Problems;

/// The handlers of an aggregate.
pub(crate) struct Handlers {
    pub(crate) aggregate: Type,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) ignored: Vec<Type>,
}

/// One of them.
pub(crate) struct Handler {
    pub(crate) ident: Ident,
    pub(crate) event: Type,
    /// The conditions it is compiled under.
    pub(crate) cfgs: Vec<Attribute>,
}

/// Checks the impl and notes every mistake.
pub(crate) fn check(attr: TokenStream, item: &ItemImpl, problems: &mut Problems) -> Handlers {
    let ignored = ignored(attr, problems);
    plain_impl(item, "#[handlers]", problems);
    let handlers: Vec<_> = functions(item).filter(|f| is_handler(f)).filter_map(|f| problems.ok(handler(f))).collect();
    let handled = handlers.iter().map(|h| (&h.ident, &h.event));
    once_each(handled, &ignored, problems);
    Handlers { aggregate: (*item.self_ty).clone(), handlers, ignored }
}

fn handler(f: &ImplItemFn) -> syn::Result<Handler> {
    let name = &f.sig.ident;
    let shape = format!("write `fn {name}(&mut self, e: &{})`", wanted(f, ""));
    let other = format!("{shape}, or choose a name that does not begin with `on_` if it is no event handler");
    if let Some(token) = &f.sig.asyncness {
        return refuse(
            token.span(),
            format!("a handler only folds what has happened into the state, so it cannot be async: {shape}"),
        );
    }
    plain_function(f)?;
    match f.sig.receiver() {
        Some(receiver) if matches!(receiver.kind, ReceiverKind::Reference(_, _, Some(_))) => {}
        Some(receiver) => {
            return refuse(receiver.self_token.span(), format!("a handler changes the aggregate: {other}"));
        }
        None => return refuse(name.span(), format!("a handler is a method: {other}")),
    }
    let mut rest = f.sig.inputs.iter().skip(1);
    let Some(event) = rest.next() else {
        return refuse(name.span(), format!("a handler takes the event: {other}"));
    };
    if let Some(extra) = rest.next() {
        return refuse(extra.span(), format!("a handler takes the aggregate and the event only: {shape}"));
    }
    if !returns_nothing(&f.sig.output) {
        return refuse(
            f.sig.output.span(),
            format!("a handler returns nothing, since what has happened cannot be refused: {other}"),
        );
    }
    Ok(Handler { ident: name.clone(), event: by_reference(event, &shape)?, cfgs: cfgs(f) })
}
