//! The steps of a query's chain: which there are, what each takes, and in which order they make sense.

use proc_macro2::Ident;
use syn::spanned::Spanned;
use syn::{Expr, ExprMethodCall, ExprStruct, Member};

use super::condition::{Condition, Scope};
use super::literal::Value;
use crate::attrs::problems::Problems;

/// The steps after `Document::query()`.
#[derive(Default)]
pub(crate) struct Steps {
    /// Each with its variable and its body as written.
    pub(crate) filters: Vec<(Ident, Condition, Expr)>,
    pub(crate) order: Option<(Ident, Expr)>,
    pub(crate) limit: Option<Value>,
    pub(crate) offset: Option<Value>,
    pub(crate) select: Option<(Ident, Selection)>,
    pub(crate) deleted: Deleted,
    pub(crate) ending: Ending,
}

/// What becomes of soft-deleted documents.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Deleted {
    #[default]
    Hidden,
    Included,
    Only,
}

/// What the query gives.
#[derive(Default)]
pub(crate) enum Ending {
    #[default]
    Many,
    One,
    First,
    Count,
    Exists,
    /// After which cursor, and how many rows.
    Page(Expr, Value),
    /// Which page, and how many rows.
    NumberedPage(Value, Value),
    /// `min`, `max`, `sum` or `avg`, and of which field.
    Aggregate(Ident, Ident, Expr),
}

/// What is selected.
pub(crate) enum Selection {
    /// A field, or a tuple of fields.
    Fields(Expr),
    /// `Contact { email: c.email }`.
    Struct(ExprStruct),
}

/// Each step, and how many arguments it takes.
const STEPS: &[(&str, usize)] = &[
    ("filter", 1),
    ("filter_if", 2),
    ("order_by", 1),
    ("limit", 1),
    ("offset", 1),
    ("select", 1),
    ("include_deleted", 0),
    ("only_deleted", 0),
    ("one", 0),
    ("first", 0),
    ("count", 0),
    ("exists", 0),
    ("page", 2),
    ("numbered_page", 2),
    ("min", 1),
    ("max", 1),
    ("sum", 1),
    ("avg", 1),
];

/// Reads the calls of a chain.
pub(crate) fn check(calls: &[&ExprMethodCall], scope: &mut Scope<'_>) -> Steps {
    let mut steps = Steps::default();
    for call in calls {
        let name = call.method.to_string();
        let Some((_, expected)) = STEPS.iter().find(|(step, _)| *step == name) else {
            let names: Vec<String> = STEPS.iter().map(|(step, _)| format!("`{step}`")).collect();
            scope
                .problems
                .at(call.method.span(), format!("unknown step `{name}`: expected one of {}", names.join(", ")));
            continue;
        };
        if call.args.len() == *expected {
            refuse_out_of_place(call, &steps, scope.problems);
            steps.take(&name, call, scope);
        } else {
            let number = ["no argument", "one argument", "two arguments"][*expected];
            scope.problems.at(call.method.span(), format!("`{name}` takes {number}"));
        }
    }
    steps
}

impl Steps {
    fn take(&mut self, name: &str, call: &ExprMethodCall, scope: &mut Scope<'_>) {
        let arguments: Vec<&Expr> = call.args.iter().collect();
        match (name, &arguments[..]) {
            ("include_deleted", _) => self.deleted = Deleted::Included,
            ("only_deleted", _) => self.deleted = Deleted::Only,
            ("one", _) => self.ending = Ending::One,
            ("first", _) => self.ending = Ending::First,
            ("count", _) => self.ending = Ending::Count,
            ("exists", _) => self.ending = Ending::Exists,
            ("filter", [filter]) => self.filters.extend(scope.closure(filter)),
            ("filter_if", [value, filter]) => self.filters.extend(scope.closure_if(value, filter)),
            ("limit", [rows]) => self.limit = scope.value(rows),
            ("offset", [rows]) => self.offset = scope.value(rows),
            ("order_by", [keys]) => self.order = scope.closure_parts(keys),
            ("select", [fields]) => {
                self.select = scope.closure_parts(fields).and_then(|(variable, body)| selection(variable, body, scope));
            }
            ("page", [after, size]) => {
                scope.use_in(after);
                self.ending = scope.value(size).map(|size| Ending::Page((*after).clone(), size)).unwrap_or_default();
            }
            ("numbered_page", [number, size]) => {
                let values = (scope.value(number), scope.value(size));
                if let (Some(number), Some(size)) = values {
                    self.ending = Ending::NumberedPage(number, size);
                }
            }
            (_, [field]) => {
                if let Some((variable, field)) = scope.closure_parts(field) {
                    self.ending = Ending::Aggregate(call.method.clone(), variable, field);
                }
            }
            _ => {}
        }
    }

    /// True when only filters, and what they look at, were given.
    fn is_plain(&self) -> bool {
        self.order.is_none() && self.limit.is_none() && self.offset.is_none() && self.select.is_none()
    }
}

fn selection(variable: Ident, body: Expr, scope: &mut Scope<'_>) -> Option<(Ident, Selection)> {
    let Expr::Struct(value) = body else {
        return Some((variable, Selection::Fields(body)));
    };
    if let Some(rest) = &value.rest {
        scope.problems.at(rest.span(), "every field of a row is selected: name the field of the document for each");
        return None;
    }
    if let Some(field) = value.fields.iter().find(|field| matches!(field.member, Member::Unnamed(_))) {
        scope.problems.at(field.member.span(), "a row is a struct with named fields, or a tuple `(c.a, c.b)`");
        return None;
    }
    Some((variable, Selection::Struct(value)))
}

/// Steps that another step leaves without a meaning.
fn refuse_out_of_place(call: &ExprMethodCall, steps: &Steps, problems: &mut Problems) {
    let span = call.method.span();
    let name = call.method.to_string();
    if !matches!(steps.ending, Ending::Many) {
        return problems.at(span, format!("`{name}` comes after the end of the query: put it before its last step"));
    }
    let given_twice = match name.as_str() {
        "order_by" => steps.order.is_some(),
        "limit" => steps.limit.is_some(),
        "offset" => steps.offset.is_some(),
        "select" => steps.select.is_some(),
        "include_deleted" | "only_deleted" => steps.deleted != Deleted::Hidden,
        _ => false,
    };
    if given_twice && name.ends_with("_deleted") {
        problems.at(span, "`include_deleted` and `only_deleted` contradict each other: give one of them, once");
    } else if given_twice {
        problems.at(span, format!("`{name}` is given twice"));
    }
    refuse_ending(&name, call, steps, problems);
}

fn refuse_ending(name: &str, call: &ExprMethodCall, steps: &Steps, problems: &mut Problems) {
    let span = call.method.span();
    match name {
        "count" | "exists" | "min" | "max" | "sum" | "avg" if !steps.is_plain() => {
            problems.at(span, format!("`{name}` looks at all documents found: only `filter` comes before it"));
        }
        "page" | "numbered_page" if steps.limit.is_some() || steps.offset.is_some() => {
            problems.at(span, format!("`{name}` says which rows: remove `limit` and `offset`"));
        }
        "first" if steps.limit.is_some() => {
            problems.at(span, "`first` is a limit of one row: remove `limit`");
        }
        "first" if steps.order.is_none() => {
            problems.at(span, "the first in which order? Put `order_by` before `first`, or use `one`");
        }
        "numbered_page" if steps.order.is_none() => {
            problems.at(span, "without an order, pages overlap: put `order_by` before `numbered_page`");
        }
        _ => {}
    }
}
