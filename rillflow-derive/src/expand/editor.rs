//! What an editor's analyzer sees of a query: its chain as it is written, whatever is wrong with it, so that fields
//! complete before the query is finished. rustc never does.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::punctuated::Pair;
use syn::token::Paren;
use syn::visit_mut::{self, VisitMut};
use syn::{BinOp, Expr, ExprPath, ExprTuple, Ident, ItemFn, Path, Token, UnOp, parse_quote};

/// A statement for the function's body: its chain over typed steps, in a function that takes the same arguments.
pub(crate) fn chain(function: &ItemFn) -> TokenStream {
    let (generics, inputs) = (&function.sig.generics, &function.sig.inputs);
    let mut block = function.block.clone();
    Written.visit_block_mut(&mut block);
    quote! {
        #[allow(unexpected_cfgs)]
        {
            #[cfg(rust_analyzer)]
            fn __written #generics (#inputs) {
                let _ = #block;
            }
        }
    }
}

/// Rewrites what has no type as it is written: operators and rows, which mean something in queries alone, and the
/// turbofish of `include`.
struct Written;

impl VisitMut for Written {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
        match expr {
            Expr::Binary(binary) if is_condition(&binary.op) => {
                *expr = tuple([&binary.left, &binary.right].map(|side| (**side).clone()));
            }
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => *expr = (*unary.expr).clone(),
            Expr::Struct(row) => *expr = tuple(row.fields.iter().map(|field| field.expr.clone())),
            Expr::Call(call) if call.args.is_empty() => {
                if let Some((document, query)) = query_of(&call.func) {
                    *expr = parse_quote!(::rillflow::__private::Steps::<#document>::#query());
                }
            }
            Expr::MethodCall(call) => match (&*call.method.to_string(), call.args.first_mut()) {
                ("any", Some(Expr::Closure(closure))) => {
                    let body = &closure.body;
                    closure.body = parse_quote!(::rillflow::__private::any_condition(#body));
                }
                ("get", Some(key)) => {
                    let map = &call.receiver;
                    *expr = parse_quote!(::rillflow::__private::entry_of(#map, #key));
                }
                ("include" | "include_many", _) => {
                    if let Some(document) = call.turbofish.take() {
                        call.args.insert(0, parse_quote!(::core::marker::PhantomData #document));
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }
}

/// `Customer::query` as the document and the word.
fn query_of(function: &Expr) -> Option<(Path, Ident)> {
    let Expr::Path(ExprPath { qself: None, path, .. }) = function else { return None };
    let mut document = path.clone();
    let query = document.segments.pop()?.ident;
    document.segments.pop_punct();
    (query == "query" && !document.segments.is_empty()).then_some((document, query))
}

fn is_condition(op: &BinOp) -> bool {
    matches!(
        op,
        BinOp::And(_)
            | BinOp::Or(_)
            | BinOp::Eq(_)
            | BinOp::Ne(_)
            | BinOp::Lt(_)
            | BinOp::Le(_)
            | BinOp::Gt(_)
            | BinOp::Ge(_)
    )
}

fn tuple(elems: impl IntoIterator<Item = Expr>) -> Expr {
    let elems = elems.into_iter().map(|elem| Pair::Punctuated(elem, Token![,](Span::call_site()))).collect();
    Expr::Tuple(ExprTuple { attrs: Vec::new(), paren_token: Paren(Span::call_site()), elems })
}
