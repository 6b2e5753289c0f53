//! `#[compiled_query]`: the function around it, and its steps.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Expr, ExprMethodCall, ExprPath, FnArg, GenericArgument, GenericParam, ItemFn, Pat, Path, PathArguments, ReturnType,
    Signature, Stmt, Type, TypeParamBound,
};

use super::condition::{Argument, Scope};
use super::literal::{Literal, Value, bare, without_last};
use super::mention::self_type;
use super::steps::{self, Steps};
use crate::attrs::problems::Problems;
use crate::attrs::query::{self, Allow};

/// A checked query.
pub(crate) struct CompiledQuery {
    pub(crate) allow: Allow,
    pub(crate) document: Path,
    pub(crate) result: Type,
    pub(crate) body: Expr,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) literals: Vec<Literal>,
    pub(crate) computed: Vec<Expr>,
    pub(crate) map_keys: Vec<Value>,
    pub(crate) steps: Steps,
}

/// A document's name, for messages.
pub(crate) fn last_name(document: &Path) -> String {
    document.segments.last().map(|last| last.ident.unraw().to_string()).unwrap_or_default()
}

/// The result type of a query's function, when it can be read from its signature.
pub(crate) fn result_of(signature: &Signature) -> Option<Type> {
    let ReturnType::Type(_, ty) = &signature.output else { return None };
    let Type::ImplTrait(opaque) = bare_type(ty) else { return None };
    let bound = opaque.bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last(),
        _ => None,
    })?;
    let PathArguments::AngleBracketed(arguments) = &bound.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    })
}

/// Checks a query. `None` when there is nothing to go on with; the problems say why.
pub(crate) fn check(attr: TokenStream, function: &ItemFn, problems: &mut Problems) -> Option<CompiledQuery> {
    let allow = query::read(attr, problems);
    check_signature(&function.sig, problems);
    refuse_self_type(function, problems);
    let arguments = arguments(&function.sig, problems);
    let result = check_result(&function.sig, problems);
    let [Stmt::Expr(body, None)] = &function.block.stmts[..] else {
        problems.at(function.block.span(), BODY);
        return None;
    };
    let (document, calls) = check_chain(body, problems)?;
    let mut scope = Scope::new(arguments, problems);
    let steps = steps::check(&calls, &mut scope);
    let Scope { arguments, literals, computed, map_keys, .. } = scope;
    if problems.is_empty() {
        refuse_unused(&arguments, problems);
    }
    let (result, body) = (result?, body.clone());
    Some(CompiledQuery { allow, document, result, body, arguments, literals, computed, map_keys, steps })
}

const BODY: &str = "the body must be one query, such as `Customer::query().filter(|c| c.email == email)`";

fn check_signature(signature: &Signature, problems: &mut Problems) {
    if let Some(keyword) = &signature.asyncness {
        problems.at(keyword.span(), "a compiled query is not async: it is a value that `store.query(..)` runs");
    }
    if let Some(keyword) = &signature.constness {
        problems.at(keyword.span(), "a compiled query cannot be const: its arguments are kept in it");
    }
    for parameter in &signature.generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            problems.at(
                parameter.span(),
                "a compiled query has no type or const parameters: its SQL and its indexes are checked once, for one document type",
            );
        }
    }
}

/// The query's text is a const, which does not see the `impl` around the function.
fn refuse_self_type(function: &ItemFn, problems: &mut Problems) {
    let found = self_type(function.sig.to_token_stream()).or_else(|| self_type(function.block.to_token_stream()));
    if let Some(span) = found {
        problems.at(span, "a compiled query does not know `Self`: write the name of the type");
    }
}

fn arguments(signature: &Signature, problems: &mut Problems) -> Vec<Argument> {
    let mut arguments = Vec::new();
    for input in &signature.inputs {
        match input {
            FnArg::Typed(typed) => match &*typed.pat {
                Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
                    let (ident, ty) = (pat.ident.clone(), (*typed.ty).clone());
                    if let Type::ImplTrait(_) = ty {
                        problems.at(ty.span(), "name the concrete type: the parameter's SQL type depends on it");
                    }
                    arguments.push(Argument { ident, ty, bound: false, used: false });
                }
                other => problems.at(other.span(), "expected a plain argument, such as `email: &str`"),
            },
            FnArg::Receiver(receiver) => {
                problems.at(receiver.span(), "a compiled query has no `self`: pass what it needs as arguments");
            }
        }
    }
    arguments
}

fn check_result(signature: &Signature, problems: &mut Problems) -> Option<Type> {
    let result = result_of(signature);
    if result.is_none() {
        let span = match &signature.output {
            ReturnType::Default => signature.ident.span(),
            ReturnType::Type(_, ty) => ty.span(),
        };
        problems.at(span, "say what the query gives: `-> impl Query<Vec<Customer>>`, or `Option<_>`, `i64`, `bool`");
    }
    result
}

/// `Customer::query().filter(..).limit(..)` as the document and the calls, in order.
fn check_chain<'e>(body: &'e Expr, problems: &mut Problems) -> Option<(Path, Vec<&'e ExprMethodCall>)> {
    let mut calls = Vec::new();
    let mut expr = body;
    while let Expr::MethodCall(call) = bare(expr) {
        calls.push(call);
        expr = &call.receiver;
    }
    calls.reverse();
    if let Expr::Call(call) = bare(expr)
        && let Expr::Path(function) = bare(&call.func)
        && function.path.segments.last().is_some_and(|last| last.ident == "query")
        && call.args.is_empty()
        && let Some(document) = document_of(function)
    {
        return Some((document, calls));
    }
    problems.at(expr.span(), BODY);
    None
}

/// The document of `Customer::query` or `<Customer>::query`, as which a macro writes a type that it was given.
fn document_of(function: &ExprPath) -> Option<Path> {
    match &function.qself {
        Some(of) if of.position == 0 => match bare_type(&of.ty) {
            Type::Path(ty) if ty.qself.is_none() => Some(ty.path.clone()),
            _ => None,
        },
        None if function.path.segments.len() >= 2 => Some(without_last(&function.path)),
        _ => None,
    }
}

/// Without the parentheses, or what a macro puts in their place, around it.
fn bare_type(ty: &Type) -> &Type {
    match ty {
        Type::Paren(paren) => bare_type(&paren.elem),
        Type::Group(group) => bare_type(&group.elem),
        other => other,
    }
}

fn refuse_unused(arguments: &[Argument], problems: &mut Problems) {
    for argument in arguments.iter().filter(|argument| !argument.used) {
        problems.at(argument.ident.span(), format!("the query does not use `{}`: remove it", argument.ident));
    }
}

/// The first and the last token of what a check is about: the filter or the order, or the whole query without one.
pub(crate) fn ends(expr: &Expr) -> (Span, Span) {
    let mut spans = quote::quote!(#expr).into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}
