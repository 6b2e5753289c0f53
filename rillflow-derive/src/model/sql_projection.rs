//! An SQL projection: per event an async handler that takes the transaction.

use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, LitStr, Type};

use super::functions::{by_reference, cfgs, is_handler, once_each, plain_function, refuse, text, wanted};
use super::projection::{named, result, shards, take_mark, takes_envelope};
use crate::attrs::options::{self, span_of};
use crate::attrs::problems::Problems;
use crate::attrs::projection::ProjectionOptions;

/// The projection.
pub(crate) struct SqlProjection {
    pub(crate) projection: Type,
    pub(crate) name: LitStr,
    pub(crate) version: i32,
    /// The variant of `OnFailure`.
    pub(crate) on_failure: &'static str,
    /// How many shards it begins with, if it can be split.
    pub(crate) shards: Option<i32>,
    pub(crate) events: Type,
    pub(crate) handlers: Vec<SqlHandler>,
    pub(crate) reset: Option<Reset>,
    pub(crate) ignored: Vec<Type>,
}

/// What happens on an event.
pub(crate) struct SqlHandler {
    pub(crate) ident: Ident,
    pub(crate) event: Type,
    pub(crate) takes_envelope: bool,
    /// What it returns, unless nothing.
    pub(crate) returns: Option<Type>,
    /// The conditions it is compiled under.
    pub(crate) cfgs: Vec<Attribute>,
}

/// The function that empties what the handlers wrote.
pub(crate) struct Reset {
    pub(crate) ident: Ident,
    /// What it returns, unless nothing.
    pub(crate) returns: Option<Type>,
}

/// Checks the impl and notes every mistake; takes the `#[reset]` mark away.
pub(crate) fn check(
    options: ProjectionOptions,
    on_failure: &'static str,
    item: &mut ItemImpl,
    problems: &mut Problems,
) -> Option<SqlProjection> {
    let required = named(&options, &item.self_ty, problems);
    let version = options::version(options.version.as_ref(), problems);
    let shards = shards(options.shards.as_ref(), problems);
    if let Some(key) = &options.key {
        problems.at(key.span(), "an SQL projection names no documents, so it has no key: remove `key = ..`");
    }
    let (mut handlers, mut resets) = (Vec::new(), Vec::new());
    for f in item.items.iter_mut().filter_map(|item| if let ImplItem::Fn(f) = item { Some(f) } else { None }) {
        if let Some(mark) = take_mark(f, "key") {
            problems.at(mark, "an SQL projection names no documents, so it has no keys: remove this function");
        } else if let Some(mark) = take_mark(f, "lookup") {
            problems.at(mark, "an SQL projection reads what it needs through its transaction: remove this function");
        } else if let Some(mark) = take_mark(f, "reset") {
            if !resets.is_empty() {
                problems.at(mark, "a projection has one `#[reset]` function");
            }
            resets.extend(problems.ok(reset(f)));
        } else if is_handler(f) {
            handlers.extend(problems.ok(handler(f)));
        }
    }
    once_each(handlers.iter().map(|h| (&h.ident, &h.event)), &options.ignored, problems);
    let ((name, events), projection) = (required?, (*item.self_ty).clone());
    let (reset, ignored) = (resets.pop(), options.ignored);
    Some(SqlProjection { projection, name, version, on_failure, shards, events, handlers, reset, ignored })
}

fn handler(f: &ImplItemFn) -> syn::Result<SqlHandler> {
    let name = &f.sig.ident;
    let shape = format!(
        "write `async fn {name}(tx: &mut Transaction<'_, Postgres>, e: &{}) -> Result<(), SomeError>`",
        wanted(f, "")
    );
    if f.sig.asyncness.is_none() {
        return refuse(
            f.sig.fn_token.span,
            format!(
                "handlers of one projection are all async, to write SQL, or none is, to change a `document`: {shape}"
            ),
        );
    }
    plain_function(f)?;
    if let Some(receiver) = f.sig.receiver() {
        return refuse(receiver.self_token.span(), format!("a projection has no state of its own: {shape}"));
    }
    let mut args = f.sig.inputs.iter();
    let (Some(tx), Some(event)) = (args.next(), args.next()) else {
        return refuse(name.span(), format!("a handler takes the transaction and the event: {shape}"));
    };
    transaction_first(tx, &shape)?;
    Ok(SqlHandler {
        ident: name.clone(),
        event: by_reference(event, &shape)?,
        takes_envelope: takes_envelope(args, &shape)?,
        returns: result(&f.sig.output),
        cfgs: cfgs(f),
    })
}

fn reset(f: &ImplItemFn) -> syn::Result<Reset> {
    let name = &f.sig.ident;
    let shape = format!("write `async fn {name}(tx: &mut Transaction<'_, Postgres>) -> Result<(), SomeError>`");
    if f.sig.asyncness.is_none() {
        return refuse(f.sig.fn_token.span, format!("emptying what was written is async: {shape}"));
    }
    plain_function(f)?;
    let mut args = f.sig.inputs.iter();
    match args.next() {
        Some(tx @ FnArg::Typed(_)) => transaction_first(tx, &shape)?,
        _ => return refuse(name.span(), format!("a `#[reset]` function takes the transaction: {shape}")),
    }
    if let Some(extra) = args.next() {
        return refuse(extra.span(), format!("a `#[reset]` function takes the transaction only: {shape}"));
    }
    Ok(Reset { ident: name.clone(), returns: result(&f.sig.output) })
}

fn transaction_first(arg: &FnArg, shape: &str) -> syn::Result<()> {
    if let FnArg::Typed(arg) = arg
        && let Type::Reference(reference) = &*arg.ty
    {
        if reference.mutability.is_some() && text(&reference.elem).contains("Transaction") {
            return Ok(());
        }
        return refuse(span_of(&arg.ty), format!("the transaction comes first, by mutable reference: {shape}"));
    }
    refuse(arg.span(), format!("the transaction comes first, by mutable reference: {shape}"))
}
