//! The body of a query's closure, as conditions on fields and the values in them.

use proc_macro2::{Ident, Span};
use syn::spanned::Spanned;
use syn::{BinOp, Expr, ExprBinary, ExprMethodCall, Pat, Type, UnOp};

use super::columns::Closure;
use super::literal::{Literal, Value, bare, list, literal};
use super::mention::{first_mention, mention_of};
use crate::attrs::problems::Problems;

/// A condition. Paths to fields stay the user's own expressions.
pub(crate) enum Condition {
    /// `a && b && ..`, each with the operator before it.
    All(Vec<(Self, Span)>),
    /// `a || b || ..`, each with the operator before it.
    Either(Vec<(Self, Span)>),
    Not(Box<Self>, Span),
    /// A field and a method of it, such as `eq` for `==`, with its values.
    Test(Expr, Ident, Vec<Value>),
    /// `list.any(|variable| condition)`.
    Any(Expr, Ident, Ident, Box<Self>),
    /// A condition that is left out when an argument is `None`.
    Given(usize, Span, Box<Self>),
    /// A field alone.
    Field(Expr),
}

/// An argument of the query's function.
pub(crate) struct Argument {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    /// True when it is a parameter by itself.
    pub(crate) bound: bool,
    /// True when anything looks at it.
    pub(crate) used: bool,
}

/// What expressions can mean in this query, and what was met in them.
pub(crate) struct Scope<'p> {
    pub(crate) arguments: Vec<Argument>,
    pub(crate) literals: Vec<Literal>,
    pub(crate) computed: Vec<Expr>,
    /// Keys of maps, each known in closures by a name of its own.
    pub(crate) map_keys: Vec<Value>,
    /// The keys of groups, behind `group_by`.
    pub(crate) keys: Option<Vec<String>>,
    /// The variables of the closures around.
    pub(super) variables: Vec<Ident>,
    /// The variable for the group, in a closure behind `group_by`.
    pub(super) group: Option<Ident>,
    /// The variable of `filter_if` for its value, and the argument it stands for.
    present: Option<(Ident, usize)>,
    pub(crate) problems: &'p mut Problems,
}

/// The methods of a field that are conditions.
const TESTS: &[&str] = &[
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "between",
    "contains",
    "one_of",
    "is_null",
    "is_some",
    "is_empty",
    "starts_with",
    "ends_with",
    "contains_text",
    "like",
    "ilike",
    "regex",
    "has_key",
    "has_entry",
    "search",
];

impl<'p> Scope<'p> {
    pub(crate) fn new(arguments: Vec<Argument>, problems: &'p mut Problems) -> Self {
        Self {
            arguments,
            literals: Vec::new(),
            computed: Vec::new(),
            map_keys: Vec::new(),
            keys: None,
            variables: Vec::new(),
            group: None,
            present: None,
            problems,
        }
    }

    /// `argument, |c, value| condition`.
    pub(crate) fn closure_if(&mut self, value: &Expr, expr: &Expr) -> Option<(Closure, Condition)> {
        let Some(argument) = self.argument(bare(value)) else {
            self.problems.at(value.span(), "`filter_if` takes an argument of the function, which is an `Option`");
            return None;
        };
        self.arguments[argument].bound = true;
        self.arguments[argument].used = true;
        if !is_option(&self.arguments[argument].ty) {
            let name = &self.arguments[argument].ident;
            let message = format!("`{name}` is never absent: make it an `Option<_>`, or use `filter`");
            self.problems.at(value.span(), message);
            return None;
        }
        let Expr::Closure(closure) = bare(expr) else {
            self.problems.at(expr.span(), "expected a closure, such as `|c, value| c.field == value`");
            return None;
        };
        let mut one = closure.clone();
        let Some(Pat::Ident(present)) = closure.inputs.get(1).filter(|_| closure.inputs.len() == 2) else {
            self.problems.at(closure.inputs_begin.span(), "expected two variables, such as `|c, value| ..`");
            return None;
        };
        one.inputs = closure.inputs.iter().take(1).cloned().collect();
        self.present = Some((present.ident.clone(), argument));
        let found = self.closure(&Expr::Closure(one));
        self.present = None;
        let (closure, condition) = found?;
        Some((closure, Condition::Given(argument, value.span(), Box::new(condition))))
    }

    pub(super) fn condition(&mut self, expr: &Expr) -> Option<Condition> {
        match bare(expr) {
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                let inner = self.condition(&unary.expr)?;
                Some(Condition::Not(Box::new(inner), unary.op.span()))
            }
            Expr::Binary(binary) => match binary.op {
                BinOp::And(_) => self.chain(expr, is_and).map(Condition::All),
                BinOp::Or(_) => self.chain(expr, is_or).map(Condition::Either),
                _ => self.comparison(binary),
            },
            Expr::MethodCall(call) if call.method == "any" => self.any(call),
            Expr::MethodCall(call) if !self.is_field(expr) => self.test(call),
            field if self.is_field(field) => self.field(field).map(Condition::Field),
            other if self.mentions(other) => {
                self.problems.at(
                    other.span(),
                    "this has no SQL form: conditions are comparisons such as `c.field == value`, joined by `&&`, `||` and `!`",
                );
                None
            }
            other => self.without_field(other.span()),
        }
    }

    fn without_field<T>(&mut self, span: Span) -> Option<T> {
        self.problems
            .at(span, "this condition does not look at the document: compare a field, such as `c.field == value`");
        None
    }

    /// The members of a chain of one operator, which rustc nests to the left.
    fn chain(&mut self, expr: &Expr, same: fn(&BinOp) -> bool) -> Option<Vec<(Condition, Span)>> {
        let mut members = Vec::new();
        flatten(expr, same, expr.span(), &mut members);
        // all of them are read before any is given up, so that every mistake is reported
        let conditions: Vec<_> = members.into_iter().map(|(member, span)| (self.condition(member), span)).collect();
        conditions.into_iter().map(|(condition, span)| Some((condition?, span))).collect()
    }

    fn comparison(&mut self, binary: &ExprBinary) -> Option<Condition> {
        let span = binary.op.span();
        let (method, mirrored) = match binary.op {
            BinOp::Eq(_) => ("eq", "eq"),
            BinOp::Ne(_) => ("ne", "ne"),
            BinOp::Lt(_) => ("lt", "gt"),
            BinOp::Le(_) => ("le", "ge"),
            BinOp::Gt(_) => ("gt", "lt"),
            BinOp::Ge(_) => ("ge", "le"),
            _ => {
                self.problems
                    .at(span, "this operator has no SQL form: use `==`, `!=`, `<`, `<=`, `>`, `>=`, `&&`, `||` or `!`");
                return None;
            }
        };
        let (field, value, method) = match (self.mentions(&binary.left), self.mentions(&binary.right)) {
            (true, true) => {
                let (field, other) = (self.field(&binary.left)?, self.field(&binary.right)?);
                return Some(Condition::Test(field, Ident::new(method, span), vec![Value::Field(Box::new(other))]));
            }
            (true, false) => (&binary.left, &binary.right, method),
            (false, true) => (&binary.right, &binary.left, mirrored),
            (false, false) => return self.without_field(span),
        };
        let field = self.measured(field)?;
        Some(Condition::Test(field, Ident::new(method, span), vec![self.value(value)?]))
    }

    fn test(&mut self, call: &ExprMethodCall) -> Option<Condition> {
        let method = call.method.to_string();
        let asks_for_a_variant = method.starts_with("is_") && call.args.is_empty();
        if !asks_for_a_variant && !TESTS.contains(&method.as_str()) {
            return self.unknown_method(&call.method);
        }
        let field = self.field(&call.receiver)?;
        let values = call.args.iter().map(|value| match method.as_str() {
            "one_of" => self.values(value),
            _ => self.value(value),
        });
        let values = values.collect::<Option<_>>()?;
        Some(Condition::Test(field, call.method.clone(), values))
    }

    pub(super) fn unknown_method<T>(&mut self, method: &Ident) -> Option<T> {
        self.problems.at(
            method.span(),
            format!(
                "`{method}` has no SQL form: a field has `==`, `!=`, `<`, `<=`, `>`, `>=`, `between`, `one_of`, `is_null`, `is_some`; text has `starts_with`, `ends_with`, `contains_text`, `like`, `ilike`, `regex`; lists have `contains`, `any`, `len`, `is_empty`; maps have `has_key`, `has_entry`, `get`; a document has `search`"
            ),
        );
        None
    }

    fn any(&mut self, call: &ExprMethodCall) -> Option<Condition> {
        let list = self.field(&call.receiver)?;
        let Some(closure) = call.args.first() else {
            self.problems.at(call.method.span(), "`any` takes a closure, such as `any(|item| item.field == value)`");
            return None;
        };
        let keys = self.keys.take();
        let closure = self.closure_parts(closure);
        self.keys = keys;
        let Closure { variable, body, .. } = closure?;
        let outer = std::mem::replace(&mut self.variables, vec![variable.clone()]);
        let stranger = first_mention(&outer, &variable, &body);
        if let Some(span) = stranger {
            self.problems
                .at(span, "the condition of `any` looks at the element only: put other conditions beside `any`");
        }
        let condition = if stranger.is_none() { self.condition(&body) } else { None };
        self.variables = outer;
        Some(Condition::Any(list, call.method.clone(), variable, Box::new(condition?)))
    }

    /// A field, or the length of a list.
    fn measured(&mut self, expr: &Expr) -> Option<Expr> {
        match bare(expr) {
            Expr::MethodCall(call) if call.method == "len" && call.args.is_empty() => {
                self.field(&call.receiver)?;
                Some(bare(expr).clone())
            }
            _ => self.field(expr),
        }
    }

    /// A value: an argument, a literal, an enum's constant, or an expression to compute when the query is called.
    pub(crate) fn value(&mut self, expr: &Expr) -> Option<Value> {
        let expr = bare(expr);
        if let (Some((variable, argument)), Expr::Path(path)) = (&self.present, expr)
            && path.path.is_ident(variable)
        {
            return Some(Value::Present(*argument, expr.span()));
        }
        if let Some(argument) = self.argument(expr) {
            self.arguments[argument].bound = true;
            self.arguments[argument].used = true;
            return Some(Value::Argument(argument, expr.span()));
        }
        if let Some(literal) = self.problems.ok(literal(expr))? {
            self.literals.push(literal);
            return Some(Value::Literal(self.literals.len() - 1, expr.span()));
        }
        self.use_in(expr);
        self.computed.push(expr.clone());
        Some(Value::Computed(self.computed.len() - 1, expr.span()))
    }

    /// Several values: a list of literals is part of the text.
    fn values(&mut self, expr: &Expr) -> Option<Value> {
        match self.problems.ok(list(bare(expr)))? {
            Some(list) => {
                self.literals.push(list);
                Some(Value::List(self.literals.len() - 1, expr.span()))
            }
            None => self.value(expr),
        }
    }

    /// Notes which arguments an expression uses.
    pub(crate) fn use_in(&mut self, expr: &Expr) {
        for argument in &mut self.arguments {
            argument.used |= mention_of(&argument.ident, expr).is_some();
        }
    }

    fn argument(&self, expr: &Expr) -> Option<usize> {
        let Expr::Path(path) = expr else { return None };
        let ident = path.path.get_ident()?;
        self.arguments.iter().position(|argument| argument.ident == *ident)
    }
}

/// True for a type that is written `Option<_>`.
fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}

fn is_and(op: &BinOp) -> bool {
    matches!(op, BinOp::And(_))
}

fn is_or(op: &BinOp) -> bool {
    matches!(op, BinOp::Or(_))
}

fn flatten<'e>(expr: &'e Expr, same: fn(&BinOp) -> bool, before: Span, members: &mut Vec<(&'e Expr, Span)>) {
    match bare(expr) {
        Expr::Binary(binary) if same(&binary.op) => {
            flatten(&binary.left, same, before, members);
            flatten(&binary.right, same, binary.op.span(), members);
        }
        member => members.push((member, before)),
    }
}
