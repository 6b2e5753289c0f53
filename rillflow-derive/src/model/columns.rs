//! Closures over a document's fields, and the fields that are named in them.

use proc_macro2::{Ident, Span};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, ExprClosure, ExprField, ExprMethodCall, Member, Pat, Stmt, parse_quote_spanned};

use super::condition::{Condition, Scope};
use super::literal::{Value, bare};
use super::mention::mention_of;

/// `|c| body`, or `|c, g| body` behind `group_by`.
pub(crate) struct Closure {
    pub(crate) variable: Ident,
    pub(crate) group: Option<Ident>,
    /// One expression, with paths as const evaluation takes them.
    pub(crate) body: Expr,
}

/// A field that a closure names: where it is, as text without its variable, and its last token.
pub(crate) type Named = (String, Span);

/// What a group's variable makes of a field.
const AGGREGATES: &[&str] = &["sum", "avg", "min", "max"];

impl Scope<'_> {
    /// Reads a closure. Behind `group_by` it has two variables.
    pub(crate) fn closure_parts(&mut self, expr: &Expr) -> Option<Closure> {
        let Expr::Closure(closure) = bare(expr) else {
            self.problems.at(expr.span(), "expected a closure, such as `|c| c.field == value`");
            return None;
        };
        let (variable, group) = self.closure_variables(closure)?;
        let body = match &*closure.body {
            Expr::Block(block) => match &block.block.stmts[..] {
                [Stmt::Expr(body, None)] => body.clone(),
                _ => {
                    self.problems.at(block.span(), "a query's closure is one expression");
                    return None;
                }
            },
            body => body.clone(),
        };
        Some(Closure { variable, group, body })
    }

    fn closure_variables(&mut self, closure: &ExprClosure) -> Option<(Ident, Option<Ident>)> {
        let names: Vec<_> = closure.inputs.iter().filter_map(name_of).collect();
        let expected = if self.keys.is_some() { 2 } else { 1 };
        match &names[..] {
            [variable] if expected == 1 && closure.inputs.len() == 1 => Some((variable.clone(), None)),
            [variable, group] if expected == 2 && closure.inputs.len() == 2 => {
                Some((variable.clone(), Some(group.clone())))
            }
            _ => {
                self.problems.at(
                    closure.inputs_begin.span(),
                    if expected == 1 {
                        "expected one variable, such as `|c| ..`"
                    } else {
                        "behind `group_by`, closures take the document's fields and the group: `|c, g| ..`"
                    },
                );
                None
            }
        }
    }

    /// Reads a closure that names fields, and gives these back too.
    pub(crate) fn closure_of_columns(&mut self, expr: &Expr) -> Option<(Closure, Vec<Named>)> {
        let mut closure = self.closure_parts(expr)?;
        let mut named = Vec::new();
        let mut body = closure.body;
        self.within(&closure.variable.clone(), closure.group.clone(), |scope| scope.columns(&mut body, &mut named));
        closure.body = body;
        Some((closure, named))
    }

    /// Reads `|c| condition`, or `|c, g| condition`.
    pub(crate) fn closure(&mut self, expr: &Expr) -> Option<(Closure, Condition)> {
        let closure = self.closure_parts(expr)?;
        let (variable, group) = (closure.variable.clone(), closure.group.clone());
        let condition = self.within(&variable, group, |scope| scope.condition(&closure.body));
        Some((closure, condition?))
    }

    fn within<T>(&mut self, variable: &Ident, group: Option<Ident>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.variables.push(variable.clone());
        let outer = std::mem::replace(&mut self.group, group);
        let read = read(self);
        self.group = outer;
        self.variables.pop();
        read
    }

    /// Finds the fields in what a closure gives, and writes them as const evaluation takes them. What is neither a
    /// field nor holds one is left to rustc.
    fn columns(&mut self, expr: &mut Expr, named: &mut Vec<Named>) {
        if self.is_field(expr) || self.is_aggregate(expr) {
            named.push((place(expr), last_token(expr)));
            if let Some(path) = self.column(expr) {
                *expr = path;
            }
            return;
        }
        match expr {
            Expr::Paren(paren) => self.columns(&mut paren.expr, named),
            Expr::Group(group) => self.columns(&mut group.expr, named),
            Expr::Tuple(tuple) => tuple.elems.iter_mut().for_each(|elem| self.columns(elem, named)),
            Expr::Struct(row) => row.fields.iter_mut().for_each(|field| self.columns(&mut field.expr, named)),
            // `.asc()`, `.desc()` and what follows them
            Expr::MethodCall(call) => self.columns(&mut call.receiver, named),
            _ => {}
        }
    }

    /// A path to a field: `c.address.city`, or the element of `any` itself; behind `group_by` also an aggregate.
    pub(crate) fn field(&mut self, expr: &Expr) -> Option<Expr> {
        let expr = bare(expr);
        if self.is_field(expr) || self.is_aggregate(expr) {
            return self.column(expr);
        }
        if let Expr::MethodCall(call) = expr {
            return self.unknown_method(&call.method);
        }
        self.problems.at(expr.span(), "expected a field of the document, such as `c.address.city`");
        None
    }

    pub(crate) fn is_field(&self, expr: &Expr) -> bool {
        match bare(expr) {
            Expr::Path(path) => path.path.get_ident().is_some_and(|ident| self.variables.contains(ident)),
            Expr::Field(field) => self.is_field(&field.base),
            Expr::MethodCall(call) => is_get(call) && self.is_field(&call.receiver),
            _ => false,
        }
    }

    /// `g.count()`, or `g.sum(c.field)`.
    fn is_aggregate(&self, expr: &Expr) -> bool {
        let Expr::MethodCall(call) = bare(expr) else { return false };
        let Expr::Path(path) = bare(&call.receiver) else { return false };
        self.group.as_ref().is_some_and(|group| path.path.is_ident(group))
            && match call.args.first() {
                None => call.method == "count",
                Some(_) => call.args.len() == 1 && AGGREGATES.iter().any(|aggregate| call.method == aggregate),
            }
    }

    pub(crate) fn mentions(&self, expr: &Expr) -> bool {
        self.variables.iter().chain(&self.group).any(|variable| mention_of(variable, expr).is_some())
    }

    fn column(&mut self, expr: &Expr) -> Option<Expr> {
        if !self.is_aggregate(expr) {
            self.refuse_several_values(expr);
            return self.path(expr);
        }
        let Expr::MethodCall(mut call) = bare(expr).clone() else { return None };
        if let Some(field) = call.args.first_mut() {
            if !self.is_field(field) {
                let message = format!("`{}` takes a field of the document, such as `c.total`", call.method);
                self.problems.at(field.span(), message);
                return None;
            }
            *field = self.path(field)?;
        }
        Some(Expr::MethodCall(call))
    }

    /// Behind `group_by`, a field that is no key has several values.
    fn refuse_several_values(&mut self, expr: &Expr) {
        let Some(keys) = self.keys.as_ref().filter(|_| self.group.is_some()) else { return };
        if !keys.contains(&place(expr)) {
            self.problems.at(
                last_token(expr),
                "a group has several values of this field: put it into `group_by`, or make one of them, as in `g.max(c.field)`",
            );
        }
    }

    /// The path with `get` as a function, whose key is a value of the query.
    fn path(&mut self, expr: &Expr) -> Option<Expr> {
        match bare(expr) {
            Expr::Field(field) => {
                let base = Box::new(self.path(&field.base)?);
                Some(Expr::Field(ExprField { base, ..field.clone() }))
            }
            Expr::MethodCall(call) => {
                let map = self.path(&call.receiver)?;
                let key = self.key(call.args.first()?)?;
                let key = quote_spanned!(key.span()=> &#key);
                // the map is underlined as the call is, which makes one report of two
                let span = call.method.span();
                let map = quote_spanned!(span=> { let __map = #map; __map });
                Some(parse_quote_spanned!(span=> ::rillflow::__private::entry(#map, #key)))
            }
            other => Some(other.clone()),
        }
    }

    /// The name under which a key of a map is known in the closures.
    fn key(&mut self, expr: &Expr) -> Option<Ident> {
        if self.mentions(expr) {
            self.problems
                .at(expr.span(), "the key of a map is a value, such as `c.labels.get(\"color\")`, not a field");
            return None;
        }
        let value = self.value(expr)?;
        let name = map_key(self.map_keys.len(), &value);
        self.map_keys.push(value);
        Some(name)
    }
}

/// The name of the map key number `at` in closures, which stands where its value was written.
pub(crate) fn map_key(at: usize, value: &Value) -> Ident {
    format_ident!("__key{at}", span = value.span())
}

fn name_of(pattern: &Pat) -> Option<Ident> {
    match pattern {
        Pat::Ident(name) => Some(name.ident.clone()),
        Pat::Wild(nameless) => Some(Ident::new("__unnamed", nameless.underscore_token.span)),
        _ => None,
    }
}

/// `map.get(key)`
fn is_get(call: &ExprMethodCall) -> bool {
    call.method == "get" && call.args.len() == 1
}

/// Where a field is, without the variable of its closure.
fn place(expr: &Expr) -> String {
    match bare(expr) {
        Expr::Field(field) => match &field.member {
            Member::Named(name) => format!("{}.{}", place(&field.base), name.unraw()),
            Member::Unnamed(index) => format!("{}.{}", place(&field.base), index.index),
        },
        Expr::MethodCall(call) => {
            format!("{}.{}({})", place(&call.receiver), call.method, call.args.to_token_stream())
        }
        _ => String::new(),
    }
}

/// What a message about a field underlines.
fn last_token(expr: &Expr) -> Span {
    match bare(expr) {
        Expr::Field(field) => field.member.span(),
        Expr::MethodCall(call) => call.method.span(),
        other => other.span(),
    }
}
