//! Whether an expression looks at a variable.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{Expr, ExprField, ExprMethodCall};

/// Where one of the outer variables, unless it is shadowed, stands in the body.
pub(crate) fn first_mention(outer: &[Ident], variable: &Ident, body: &Expr) -> Option<Span> {
    outer.iter().filter(|other| *other != variable).find_map(|other| mention_of(other, body))
}

/// Where `Self` stands among tokens.
pub(crate) fn self_type(tokens: TokenStream) -> Option<Span> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == "Self" => Some(ident.span()),
        TokenTree::Group(group) => self_type(group.stream()),
        _ => None,
    })
}

/// Where a variable stands in an expression.
pub(crate) fn mention_of(variable: &Ident, expr: &Expr) -> Option<Span> {
    let mut search = Mention { variable, found: None };
    search.visit_expr(expr);
    search.found
}

struct Mention<'v> {
    variable: &'v Ident,
    found: Option<Span>,
}

impl<'e> Visit<'e> for Mention<'_> {
    fn visit_ident(&mut self, ident: &'e Ident) {
        if ident == self.variable && self.found.is_none() {
            self.found = Some(ident.span());
        }
    }

    /// The names of fields are not variables.
    fn visit_expr_field(&mut self, field: &'e ExprField) {
        visit::visit_expr(self, &field.base);
    }

    /// Nor are the names of methods.
    fn visit_expr_method_call(&mut self, call: &'e ExprMethodCall) {
        visit::visit_expr(self, &call.receiver);
        call.args.iter().for_each(|value| visit::visit_expr(self, value));
    }

    /// A macro's arguments are tokens: a variable among them counts.
    fn visit_macro(&mut self, call: &'e syn::Macro) {
        self.search(call.tokens.clone());
    }
}

impl Mention<'_> {
    fn search(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => self.visit_ident(&ident),
                TokenTree::Group(group) => self.search(group.stream()),
                TokenTree::Literal(text) if self.is_captured_by(&text.to_string()) => {
                    self.found.get_or_insert(text.span());
                }
                _ => {}
            }
        }
    }

    /// True for the text of `format!("{variable}")`.
    fn is_captured_by(&self, text: &str) -> bool {
        let name = self.variable.unraw().to_string();
        text.split('{').skip(1).any(|rest| rest.strip_prefix(&name).is_some_and(|rest| rest.starts_with(['}', ':'])))
    }
}
