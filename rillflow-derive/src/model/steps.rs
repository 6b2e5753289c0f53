//! The steps of a query's chain: which there are, what each takes, and in which order they make sense.

use proc_macro2::{Ident, Span};
use syn::spanned::Spanned;
use syn::{Expr, ExprMethodCall, ExprStruct, GenericArgument, Member, Path, Type};

use super::columns::{Closure, Named};
use super::condition::{Condition, Scope};
use super::literal::Value;
use super::places;
use crate::attrs::problems::Problems;

/// The steps after `Document::query()`.
#[derive(Default)]
pub(crate) struct Steps {
    pub(crate) filters: Vec<(Closure, Condition)>,
    pub(crate) group: Option<Closure>,
    /// Conditions on groups.
    pub(crate) having: Vec<(Closure, Condition)>,
    pub(crate) order: Option<Closure>,
    pub(crate) limit: Option<Value>,
    pub(crate) offset: Option<Value>,
    pub(crate) select: Option<Selection>,
    pub(crate) distinct: Option<Span>,
    pub(crate) related: Vec<Related>,
    pub(crate) deleted: Deleted,
    pub(crate) ending: Ending,
    /// The fields that are sorted by, and those that are selected.
    pub(super) sorted: Vec<Named>,
    pub(super) selected: Vec<Named>,
}

/// Documents of another collection beside each one found.
pub(crate) struct Related {
    pub(crate) document: Path,
    /// The key: of the documents found, or of the other ones when they are many.
    pub(crate) key: Closure,
    pub(crate) many: bool,
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
    Aggregate(Ident, Closure),
}

/// What is selected.
pub(crate) enum Selection {
    /// A field, or a tuple of fields.
    Fields(Closure),
    /// `Contact { email: c.email }`.
    Struct(Closure, ExprStruct),
}

/// Each step, and how many arguments it takes.
const STEPS: &[(&str, usize)] = &[
    ("filter", 1),
    ("filter_if", 2),
    ("group_by", 1),
    ("having", 1),
    ("order_by", 1),
    ("limit", 1),
    ("offset", 1),
    ("select", 1),
    ("distinct", 0),
    ("include", 1),
    ("include_many", 1),
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
            places::refuse(call, &steps, scope.problems);
            steps.take(&name, call, scope);
        } else {
            let number = ["no argument", "one argument", "two arguments"][*expected];
            scope.problems.at(call.method.span(), format!("`{name}` takes {number}"));
        }
    }
    places::refuse_unfinished(&steps, calls, scope.problems);
    steps
}

impl Steps {
    fn take(&mut self, name: &str, call: &ExprMethodCall, scope: &mut Scope<'_>) {
        let arguments: Vec<&Expr> = call.args.iter().collect();
        match (name, &arguments[..]) {
            ("include_deleted", _) => self.deleted = Deleted::Included,
            ("only_deleted", _) => self.deleted = Deleted::Only,
            ("distinct", _) => self.distinct = Some(call.method.span()),
            ("one", _) => self.ending = Ending::One,
            ("first", _) => self.ending = Ending::First,
            ("count", _) => self.ending = Ending::Count,
            ("exists", _) => self.ending = Ending::Exists,
            // refused: it would be read as a condition on groups
            ("filter" | "filter_if", _) if self.group.is_some() => {}
            ("filter", [filter]) => self.filters.extend(scope.closure(filter)),
            ("filter_if", [value, filter]) => self.filters.extend(scope.closure_if(value, filter)),
            ("having", [condition]) if self.group.is_some() => self.having.extend(scope.closure(condition)),
            ("limit", [rows]) => self.limit = scope.value(rows),
            ("offset", [rows]) => self.offset = scope.value(rows),
            ("group_by" | "order_by" | "select", [columns]) => self.take_columns(name, columns, scope),
            ("include" | "include_many", [key]) => self.related.extend(related(call, key, scope)),
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
            ("min" | "max" | "sum" | "avg", [field]) => {
                if let Some((field, _)) = scope.closure_of_columns(field) {
                    self.ending = Ending::Aggregate(call.method.clone(), field);
                }
            }
            _ => {}
        }
    }

    fn take_columns(&mut self, name: &str, columns: &Expr, scope: &mut Scope<'_>) {
        let Some((closure, named)) = scope.closure_of_columns(columns) else { return };
        match name {
            "group_by" => {
                scope.keys = Some(named.into_iter().map(|(place, _)| place).collect());
                self.group = Some(closure);
            }
            "order_by" => (self.order, self.sorted) = (Some(closure), named),
            _ => (self.select, self.selected) = (selection(closure, scope.problems), named),
        }
    }

    /// True when only filters, and what they look at, were given.
    pub(super) fn is_plain(&self) -> bool {
        let shaped = self.select.is_some() || self.group.is_some() || !self.related.is_empty();
        self.order.is_none() && self.limit.is_none() && self.offset.is_none() && !shaped
    }
}

/// `include::<Customer>(|o| o.customer)`
fn related(call: &ExprMethodCall, key: &Expr, scope: &mut Scope<'_>) -> Option<Related> {
    let step = call.method.clone();
    let named = call.turbofish.as_ref().and_then(|turbofish| turbofish.args.first());
    let Some(GenericArgument::Type(Type::Path(document))) = named else {
        let message = format!("say which documents: `{step}::<Customer>(|c| c.key)`");
        scope.problems.at(step.span(), message);
        return None;
    };
    let (key, _) = scope.closure_of_columns(key)?;
    Some(Related { many: step == "include_many", document: document.path.clone(), key })
}

fn selection(closure: Closure, problems: &mut Problems) -> Option<Selection> {
    let Expr::Struct(row) = &closure.body else {
        return Some(Selection::Fields(closure));
    };
    if let Some(rest) = &row.rest {
        problems.at(rest.span(), "every field of a row is selected: name the field of the document for each");
        return None;
    }
    if let Some(field) = row.fields.iter().find(|field| matches!(field.member, Member::Unnamed(_))) {
        problems.at(field.member.span(), "a row is a struct with named fields, or a tuple `(c.a, c.b)`");
        return None;
    }
    if row.fields.len() > 50 {
        problems.at(row.path.span(), "PostgreSQL makes rows of at most 50 fields: select the whole document");
        return None;
    }
    let row = row.clone();
    Some(Selection::Struct(closure, row))
}
