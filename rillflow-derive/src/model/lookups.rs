//! The documents of other collections that a handler looks at: its parameters, and the functions that say which.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{FnArg, GenericArgument, Ident, ImplItemFn, Pat, PathArguments, Type};

use super::functions::{refuse, text};
use super::names;
use super::projection::{Handler, KeyFunction, Tells, last};
use crate::attrs::options::span_of;
use crate::attrs::problems::Problems;

/// What messages call a `#[lookup]` function.
pub(super) const FUNCTION: Tells = Tells {
    what: "what is looked up",
    returns: "a `#[lookup]` function returns the id of the document that the handler looks at",
};

/// What a handler takes after the event.
pub(crate) enum Parameter {
    /// The event as recorded, and where its type stands.
    Envelope(Span),
    /// A document, or several.
    Document(Box<DocumentParameter>),
}

/// `customer: Option<&Customer>` or `products: Vec<&Product>`.
pub(crate) struct DocumentParameter {
    /// How it is called, unless by a pattern.
    ident: Option<Ident>,
    pub(crate) document: Type,
    pub(crate) many: bool,
}

/// What a document parameter is found by.
pub(crate) struct Lookup {
    pub(crate) document: Type,
    pub(crate) many: bool,
    pub(crate) function: KeyFunction,
}

/// A `#[lookup]` function, and the parameter that it names.
pub(super) struct LookupFunction {
    pub(super) function: KeyFunction,
    pub(super) parameter: Option<Ident>,
}

/// Removes `#[lookup]` or `#[lookup(parameter)]` and says which parameter it names.
pub(super) fn take_mark(f: &mut ImplItemFn, problems: &mut Problems) -> Option<Option<Ident>> {
    let at = f.attrs.iter().position(|attr| attr.path().is_ident("lookup"))?;
    let mark = f.attrs.remove(at);
    if mark.meta.require_path_only().is_ok() {
        return Some(None);
    }
    let parameter = mark.parse_args::<Ident>().map_err(|error| {
        syn::Error::new(error.span(), "write `#[lookup]`, or `#[lookup(customer)]` for the parameter `customer`")
    });
    Some(problems.ok(parameter))
}

/// The parameters behind the event.
pub(super) fn parameters<'a>(args: impl Iterator<Item = &'a FnArg>, shape: &str) -> syn::Result<Vec<Parameter>> {
    let mut parameters = Vec::new();
    for arg in args {
        let FnArg::Typed(typed) = arg else { return refuse(arg.span(), shape) };
        let parameter = match (&*typed.ty, in_references(&typed.ty)) {
            (_, Some((document, many))) => {
                let ident = if let Pat::Ident(pat) = &*typed.pat { Some(pat.ident.clone()) } else { None };
                Parameter::Document(Box::new(DocumentParameter { ident, document, many }))
            }
            (Type::Reference(_), None) if parameters.iter().any(|it| matches!(it, Parameter::Envelope(_))) => {
                return refuse(typed.ty.span(), format!("the event as recorded is taken once: {shape}"));
            }
            (other @ Type::Reference(_), None) => Parameter::Envelope(span_of(other)),
            (other, None) => {
                return refuse(
                    span_of(other),
                    "after the event come documents to look at, `customer: Option<&Customer>` or `products: Vec<&Product>`, and the event as recorded, `at: &EventEnvelope`",
                );
            }
        };
        parameters.push(parameter);
    }
    Ok(parameters)
}

/// The `T` of `Option<&T>` or `Vec<&T>`, and whether it is the latter.
fn in_references(ty: &Type) -> Option<(Type, bool)> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last()?;
    let many = match segment.ident.to_string().as_str() {
        "Option" => false,
        "Vec" => true,
        _ => return None,
    };
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(Type::Reference(it)) if it.mutability.is_none() => Some(((*it.elem).clone(), many)),
        _ => None,
    }
}

/// Gives each document parameter its function, and each function its parameter.
pub(super) fn pair(handlers: &mut [Handler], functions: Vec<LookupFunction>, own: &Type, problems: &mut Problems) {
    let mut functions: Vec<_> = functions.into_iter().map(Some).collect();
    for handler in handlers.iter_mut() {
        let event = text(&handler.event);
        let wanted: Vec<&DocumentParameter> = documents(&handler.rest).collect();
        let unnamed = |it: &&LookupFunction| it.parameter.is_none() && text(&it.function.event) == event;
        if wanted.len() > 1
            && let Some(unnamed) = functions.iter().flatten().find(unnamed)
        {
            which(&unnamed.function, &handler.ident, &wanted, problems);
            continue;
        }
        for parameter in &wanted {
            if text(&parameter.document) == text(own) {
                problems.at(
                    span_of(&parameter.document),
                    "a projection cannot look up the documents it keeps, as those of a batch are not stored yet: a `#[key]` function that returns several ids hands each to the handler",
                );
                continue;
            }
            let fits = |it: &LookupFunction| {
                let named = it.parameter.as_ref().map(ToString::to_string);
                let called = parameter.ident.as_ref().map(ToString::to_string);
                text(&it.function.event) == event
                    && (named.is_none() && wanted.len() == 1 || named.is_some() && named == called)
            };
            match functions.iter_mut().find(|it| it.as_ref().is_some_and(fits)).and_then(Option::take) {
                Some(LookupFunction { function, .. }) => handler.lookups.push(Lookup {
                    document: parameter.document.clone(),
                    many: parameter.many,
                    function,
                }),
                None => missing(parameter, &event, wanted.len() > 1, problems),
            }
        }
    }
    // a parameter that found nothing has its error, which a function that fits nothing belongs to
    if problems.is_empty() {
        functions.into_iter().flatten().for_each(|function| spare(&function, handlers, problems));
    }
}

fn documents(rest: &[Parameter]) -> impl Iterator<Item = &DocumentParameter> {
    rest.iter().filter_map(|it| if let Parameter::Document(document) = it { Some(&**document) } else { None })
}

/// Says that a function has to name one of several parameters.
fn which(function: &KeyFunction, handler: &Ident, wanted: &[&DocumentParameter], problems: &mut Problems) {
    let marks: Vec<_> =
        wanted.iter().filter_map(|it| it.ident.as_ref()).map(|ident| format!("`#[lookup({ident})]`")).collect();
    let message =
        format!("`{handler}` looks at several documents: which of them is this? Write {}", marks.join(" or "));
    problems.at(function.ident.span(), message);
}

fn missing(parameter: &DocumentParameter, event: &str, several: bool, problems: &mut Problems) {
    let DocumentParameter { ident, document, many } = parameter;
    let (document, called) = (text(document), ident.as_ref().map_or_else(|| "found".to_owned(), ToString::to_string));
    let (mark, id) = (
        if several { format!("lookup({called})") } else { "lookup".to_owned() },
        if *many { "Vec<SomeId>" } else { "SomeId" },
    );
    let function = format!("#[{mark}] fn {called}_of_{}(e: &{event}) -> {id}", names::snake(last(event)));
    let what = if *many { "documents are" } else { "is" };
    problems.at(span_of(&parameter.document), format_args!("which `{document}` {what} meant? Add `{function}`"));
}

/// Says what is wrong with a function that no parameter took.
fn spare(spare: &LookupFunction, handlers: &[Handler], problems: &mut Problems) {
    let LookupFunction { function: KeyFunction { ident, event, .. }, parameter } = spare;
    let event_name = text(event);
    let handler = handlers.iter().find(|handler| text(&handler.event) == event_name);
    let called = parameter.as_ref().map_or_else(|| "found".to_owned(), ToString::to_string);
    let message = match handler {
        Some(handler) => format!(
            "`{}` has no parameter left for what `{ident}` looks up: add `{called}: Option<&SomeDocument>`, or remove the function",
            handler.ident
        ),
        None => format!("`{event_name}` has no handler that would look at this: add one, or remove the function"),
    };
    problems.at(parameter.as_ref().map_or_else(|| span_of(event), Ident::span), message);
}
