//! A projection: per event a handler and the key of the documents that it changes, or, without documents, an async
//! handler that writes SQL.

use proc_macro2::{Span, TokenStream};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, LitInt, LitStr, ReturnType, Type};

use super::functions::{by_reference, cfgs, is_handler, once_each, plain_function, plain_impl, refuse, text, wanted};
use super::lookups::{self, Lookup, LookupFunction, Parameter};
use super::names;
use super::sql_projection::SqlProjection;
use crate::attrs::options::{self, span_of};
use crate::attrs::problems::Problems;
use crate::attrs::projection::{ProjectionOptions, read};

/// One of the two kinds.
pub(crate) enum Checked {
    Documents(Projection),
    Sql(SqlProjection),
}

/// A document projection.
pub(crate) struct Projection {
    pub(crate) projection: Type,
    pub(crate) name: LitStr,
    pub(crate) version: i32,
    /// The variant of `OnFailure`.
    pub(crate) on_failure: &'static str,
    /// How many shards it begins with, if it can be split.
    pub(crate) shards: Option<i32>,
    pub(crate) events: Type,
    pub(crate) document: Type,
    pub(crate) handlers: Vec<(Handler, Key)>,
    pub(crate) ignored: Vec<Type>,
}

/// How an event changes a document.
pub(crate) struct Handler {
    pub(crate) ident: Ident,
    pub(crate) event: Type,
    /// The type of its first parameter.
    pub(crate) doc: Type,
    /// What it takes after the event.
    pub(crate) rest: Vec<Parameter>,
    /// What each document among them is found by, in their order.
    pub(crate) lookups: Vec<Lookup>,
    /// What it returns, unless nothing.
    pub(crate) returns: Option<Type>,
    /// The conditions it is compiled under.
    pub(crate) cfgs: Vec<Attribute>,
}

/// What names the documents that an event changes.
pub(crate) enum Key {
    /// The id of the event's stream; the span is where the user asked for it.
    Stream(Span),
    /// A `#[key]` function.
    Function(Box<KeyFunction>),
}

/// A `#[key]` function.
#[derive(Clone)]
pub(crate) struct KeyFunction {
    pub(crate) ident: Ident,
    pub(crate) event: Type,
    pub(crate) takes_envelope: bool,
    pub(crate) returns: Type,
}

/// Checks the impl and notes every mistake; takes the `#[key]` and `#[reset]` marks away.
pub(crate) fn check(attr: TokenStream, item: &mut ItemImpl, problems: &mut Problems) -> Option<Checked> {
    let options = read(attr, problems);
    plain_impl(item, "#[projection(..)]", problems);
    let on_failure = on_failure(&options, problems);
    let is_async = |item: &ImplItem| matches!(item, ImplItem::Fn(f) if is_handler(f) && f.sig.asyncness.is_some());
    if options.document.is_none() && item.items.iter().any(is_async) {
        return super::sql_projection::check(options, on_failure, item, problems).map(Checked::Sql);
    }
    documents(options, on_failure, item, problems).map(Checked::Documents)
}

fn documents(
    options: ProjectionOptions,
    on_failure: &'static str,
    item: &mut ItemImpl,
    problems: &mut Problems,
) -> Option<Projection> {
    let required = required(&options, &item.self_ty, problems);
    let version = options::version(options.version.as_ref(), problems);
    let by_stream = by_stream(&options, problems);
    let shards = shards(options.shards.as_ref(), problems);
    if let (Some(given), None) = (&options.shards, &options.key) {
        problems.at(
            given.span(),
            "shards are split by stream, so each document must be of one stream: add `key = stream`, or remove `shards`",
        );
    }

    let (mut keys, mut handlers, mut lookups) = (Vec::new(), Vec::new(), Vec::new());
    for f in item.items.iter_mut().filter_map(|item| if let ImplItem::Fn(f) = item { Some(f) } else { None }) {
        if let Some(mark) = take_mark(f, "reset") {
            problems.at(mark, "the documents of a projection are emptied by themselves: remove `#[reset]`");
        }
        if let Some(mark) = take_mark(f, "key") {
            if by_stream.is_some() {
                problems.at(mark, "`key = stream` names the documents already: remove one of the two");
            }
            keys.extend(problems.ok(key(f, &KEY)));
        } else if let Some(mark) = lookups::take_mark(f, problems) {
            let function = problems.ok(key(f, &lookups::FUNCTION));
            lookups.extend(function.map(|function| LookupFunction { function, parameter: mark }));
        } else if is_handler(f) {
            handlers.extend(problems.ok(handler(f, options.document.as_ref())));
        }
    }
    if handlers.is_empty() && problems.is_empty() {
        problems.at(
            item.self_ty.span(),
            "a projection handles at least one event: write `fn on_placed(doc: &mut SomeDocument, e: &Placed)`",
        );
    }
    once_each(handlers.iter().map(|h| (&h.ident, &h.event)), &options.ignored, problems);
    let (name, events, document) = required?;
    let handlers = match problems.is_empty() {
        true => {
            lookups::pair(&mut handlers, lookups, &document, problems);
            pair(handlers, keys, by_stream, problems)
        }
        false => Vec::new(),
    };
    let projection = (*item.self_ty).clone();
    let shards = by_stream.map(|_| shards.unwrap_or(1));
    let ignored = options.ignored;
    Some(Projection { projection, name, version, on_failure, shards, events, document, handlers, ignored })
}

/// The variant of `OnFailure` that the user asked for.
fn on_failure(options: &ProjectionOptions, problems: &mut Problems) -> &'static str {
    let Some(word) = &options.on_failure else { return "Stop" };
    match word.to_string().as_str() {
        "stop" => "Stop",
        "skip" => "Skip",
        "park" => "Park",
        _ => {
            problems.at(word.span(), "write `on_failure = stop`, `on_failure = skip` or `on_failure = park`");
            "Stop"
        }
    }
}

/// Into how many shards the user splits it.
pub(super) fn shards(given: Option<&LitInt>, problems: &mut Problems) -> Option<i32> {
    let given = given?;
    match given.base10_parse::<i32>() {
        Ok(shards) if (1..=1024).contains(&shards) => Some(shards),
        _ => {
            problems.at(given.span(), "a projection has from 1 to 1024 shards");
            None
        }
    }
}

/// The options that have no default.
fn required(options: &ProjectionOptions, me: &Type, problems: &mut Problems) -> Option<(LitStr, Type, Type)> {
    let readable = problems.is_empty();
    let named = named(options, me, problems);
    if readable && options.document.is_none() {
        problems.at(
            Span::call_site(),
            "a projection needs the documents it keeps: add `document = SomeDocument`, or make its handlers async to write SQL",
        );
    }
    let (name, events) = named?;
    Some((name, events, options.document.clone()?))
}

/// Its name and its events.
pub(super) fn named(options: &ProjectionOptions, me: &Type, problems: &mut Problems) -> Option<(LitStr, Type)> {
    let ProjectionOptions { name, events, .. } = options;
    // a mistake in the options may be the very option that is missing
    let readable = problems.is_empty();
    let mut need = |given: bool, what: &str, example: &str| {
        if readable && !given {
            problems.at(Span::call_site(), format_args!("a projection needs {what}: add `{example}`"));
        }
    };
    need(name.is_some(), "a name for its checkpoint", &format!("name = \"{}\"", names::kebab(&text(me))));
    need(events.is_some(), "the events it reads", "events = SomeEvent");
    if let Some(name) = name.as_ref().filter(|name| name.value().is_empty()) {
        problems.at(name.span(), "a projection's name is not empty: its checkpoint is kept under it");
    }
    Some((name.clone()?, events.clone()?))
}

/// Where the user asked for `key = stream`.
fn by_stream(options: &ProjectionOptions, problems: &mut Problems) -> Option<Span> {
    let key = options.key.as_ref()?;
    if key != "stream" {
        problems.at(key.span(), "write `key = stream`, or one `#[key]` function per event");
    }
    Some(key.span())
}

/// Removes `#[key]` or `#[reset]` and says where it was.
pub(super) fn take_mark(f: &mut ImplItemFn, mark: &str) -> Option<Span> {
    let at = f.attrs.iter().position(|attr| attr.path().is_ident(mark))?;
    Some(f.attrs.remove(at).path().span())
}

fn handler(f: &ImplItemFn, document: Option<&Type>) -> syn::Result<Handler> {
    let name = &f.sig.ident;
    let document = document.map_or_else(|| "SomeDocument".to_owned(), text);
    let event = wanted(f, &document);
    let shape = format!("write `fn {name}(doc: &mut {document}, e: &{event})`");
    if let Some(token) = &f.sig.asyncness {
        return refuse(
            token.span(),
            format!(
                "a document projection only changes the document it is given, so its handlers cannot be async: {shape}; what has to await belongs into an SQL projection, which has no `document`, or into a subscription"
            ),
        );
    }
    plain_function(f)?;
    if let Some(receiver) = f.sig.receiver() {
        return refuse(
            receiver.self_token.span(),
            format!("a projection has no state of its own, only its documents: {shape}"),
        );
    }
    let mut args = f.sig.inputs.iter();
    let (Some(doc), Some(event)) = (args.next(), args.next()) else {
        return refuse(name.span(), format!("a handler takes the document and the event: {shape}"));
    };
    Ok(Handler {
        ident: name.clone(),
        doc: document_first(doc, &shape)?,
        event: by_reference(event, &shape)?,
        rest: lookups::parameters(args, &shape)?,
        lookups: Vec::new(),
        returns: result(&f.sig.output),
        cfgs: cfgs(f),
    })
}

/// What messages call a function that tells ids from an event.
pub(super) struct Tells {
    /// What it is about.
    pub(super) what: &'static str,
    /// What it returns.
    pub(super) returns: &'static str,
}

const KEY: Tells =
    Tells { what: "a key", returns: "a `#[key]` function returns the id of the document that the event changes" };

/// A function from an event to ids.
fn key(f: &ImplItemFn, tells: &Tells) -> syn::Result<KeyFunction> {
    let (name, what) = (&f.sig.ident, tells.what);
    let shape = format!("write `fn {name}(e: &{}) -> SomeId`", wanted(f, ""));
    if let Some(token) = &f.sig.asyncness {
        return refuse(token.span(), format!("{what} is told from the event alone, so it cannot be async: {shape}"));
    }
    plain_function(f)?;
    let mut args = f.sig.inputs.iter();
    let event = match args.next() {
        Some(FnArg::Receiver(receiver)) => {
            return refuse(receiver.self_token.span(), format!("{what} is told from the event alone: {shape}"));
        }
        Some(event) => by_reference(event, &shape)?,
        None => return refuse(name.span(), format!("{what} is told from the event: {shape}")),
    };
    let takes_envelope = takes_envelope(args, &shape)?;
    let Some(returns) = result(&f.sig.output) else {
        return refuse(name.span(), format!("{}: {shape}", tells.returns));
    };
    Ok(KeyFunction { ident: name.clone(), event, takes_envelope, returns })
}

/// The `D` of `doc: &mut D`.
fn document_first(arg: &FnArg, shape: &str) -> syn::Result<Type> {
    if let FnArg::Typed(arg) = arg
        && let Type::Reference(reference) = &*arg.ty
        && reference.mutability.is_some()
    {
        return Ok((*reference.elem).clone());
    }
    refuse(arg.span(), format!("the document comes first, by mutable reference: {shape}"))
}

/// True when one more parameter follows.
pub(super) fn takes_envelope<'a>(mut rest: impl Iterator<Item = &'a FnArg>, shape: &str) -> syn::Result<bool> {
    let envelope = rest.next();
    if let Some(FnArg::Typed(arg)) = envelope
        && !matches!(&*arg.ty, Type::Reference(_))
    {
        return refuse(arg.ty.span(), "the last parameter is the event as recorded: write `at: &EventEnvelope`");
    }
    match rest.next() {
        Some(extra) => refuse(extra.span(), format!("nothing comes after `at: &EventEnvelope`: {shape}")),
        None => Ok(envelope.is_some()),
    }
}

pub(super) fn result(output: &ReturnType) -> Option<Type> {
    match output {
        ReturnType::Type(_, ty) if !super::functions::returns_nothing(output) => Some((**ty).clone()),
        _ => None,
    }
}

/// Gives each handler its key, and each key its handler.
fn pair(
    handlers: Vec<Handler>,
    mut keys: Vec<KeyFunction>,
    by_stream: Option<Span>,
    problems: &mut Problems,
) -> Vec<(Handler, Key)> {
    let mut pairs = Vec::new();
    for handler in handlers {
        let event = text(&handler.event);
        let key = match (by_stream, keys.iter().position(|key| text(&key.event) == event)) {
            (Some(span), _) => Key::Stream(span),
            (None, Some(at)) => Key::Function(Box::new(keys.remove(at))),
            (None, None) => {
                let function = format!("#[key] fn of_{}(e: &{event}) -> SomeId", names::snake(last(&event)));
                let message = format!(
                    "which document does `{event}` change? Add `{function}`, or `key = stream` to the projection"
                );
                problems.at(span_of(&handler.event), message);
                continue;
            }
        };
        pairs.push((handler, key));
    }
    for key in keys {
        spare(&key, &pairs, problems);
    }
    pairs
}

/// Says what is wrong with a key that no handler took.
fn spare(key: &KeyFunction, pairs: &[(Handler, Key)], problems: &mut Problems) {
    let event = text(&key.event);
    let first = pairs.iter().find_map(|(handler, key)| match key {
        Key::Function(first) if text(&handler.event) == event => Some(&first.ident),
        _ => None,
    });
    let message = match first {
        Some(first) => format!("`{first}` is the key of `{event}` already: keep one, which may return a `Vec` of ids"),
        None => {
            let function = format!("fn on_{}(doc: &mut .., e: &{event})", names::snake(last(&event)));
            format!("`{event}` has a key but no handler: add `{function}`, or remove the key")
        }
    };
    problems.at(span_of(&key.event), message);
}

/// The last name of a path.
pub(super) fn last(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}
