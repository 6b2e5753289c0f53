//! Which steps of a query make sense behind which others.

use proc_macro2::Span;
use syn::ExprMethodCall;

use super::steps::{Deleted, Ending, Steps};
use crate::attrs::problems::Problems;

/// Refuses a step that another step leaves without a meaning.
pub(super) fn refuse(call: &ExprMethodCall, steps: &Steps, problems: &mut Problems) {
    let span = call.method.span();
    let name = call.method.to_string();
    if !matches!(steps.ending, Ending::Many) {
        return problems.at(span, format!("`{name}` comes after the end of the query: put it before its last step"));
    }
    if given_twice(&name, steps) && name.ends_with("_deleted") {
        return problems.at(span, "`include_deleted` and `only_deleted` contradict each other: give one of them, once");
    }
    if given_twice(&name, steps) {
        return problems.at(span, format!("`{name}` is given twice"));
    }
    if let Some(problem) = shape(&name, steps).or_else(|| ending(&name, steps)) {
        problems.at(span, problem);
    }
}

fn given_twice(name: &str, steps: &Steps) -> bool {
    match name {
        "group_by" => steps.group.is_some(),
        "order_by" => steps.order.is_some(),
        "limit" => steps.limit.is_some(),
        "offset" => steps.offset.is_some(),
        "select" => steps.select.is_some(),
        "distinct" => steps.distinct.is_some(),
        "include_deleted" | "only_deleted" => steps.deleted != Deleted::Hidden,
        _ => false,
    }
}

/// What is wrong with a step that says what a row is.
fn shape(name: &str, steps: &Steps) -> Option<String> {
    let grouped = steps.group.is_some();
    let ranged = steps.limit.is_some() || steps.offset.is_some();
    Some(match name {
        "group_by" if steps.order.is_some() || steps.select.is_some() || ranged => {
            "`group_by` comes before the order, the range and the selection, which are those of the groups".to_owned()
        }
        "having" if !grouped => "`having` chooses among groups: put `group_by` before it, or use `filter`".to_owned(),
        "filter" | "filter_if" if grouped => {
            format!("`{name}` chooses documents: put it before `group_by`, or use `having` for groups")
        }
        "distinct" if grouped => "groups differ from each other already: remove `distinct`".to_owned(),
        "include" | "include_many" if grouped || steps.select.is_some() => {
            format!("`{name}` gives whole documents: remove what selects something else")
        }
        "group_by" | "select" | "distinct" if !steps.related.is_empty() => {
            format!("a query that includes other documents gives whole ones: remove `{name}`")
        }
        _ => return None,
    })
}

/// What is wrong with a step that ends the query.
fn ending(name: &str, steps: &Steps) -> Option<String> {
    Some(match name {
        "count" | "exists" | "min" | "max" | "sum" | "avg" if !steps.is_plain() => {
            format!("`{name}` looks at all documents found: only `filter` comes before it")
        }
        "page" | "numbered_page" if steps.limit.is_some() || steps.offset.is_some() => {
            format!("`{name}` says which rows: remove `limit` and `offset`")
        }
        "first" if steps.limit.is_some() => "`first` is a limit of one row: remove `limit`".to_owned(),
        "first" if steps.order.is_none() => {
            "the first in which order? Put `order_by` before `first`, or use `one`".to_owned()
        }
        "numbered_page" if steps.order.is_none() => {
            "without an order, pages overlap: put `order_by` before `numbered_page`".to_owned()
        }
        _ => return None,
    })
}

/// Refuses what only the whole chain shows.
pub(super) fn refuse_unfinished(steps: &Steps, calls: &[&ExprMethodCall], problems: &mut Problems) {
    let called = |name: &str| calls.iter().find(|call| call.method == name).map(|call| call.method.span());
    if let (Some(span), None) = (called("group_by"), called("select")) {
        problems.at(span, "say what each group gives: `.select(|c, g| (c.status, g.count()))`");
    }
    let Some(span) = steps.distinct else { return };
    if called("select").is_none() {
        return problems
            .at(span, "documents differ from each other already: `select` the fields that `distinct` compares");
    }
    if let Some(span) = sorted_by_others(steps) {
        problems.at(span, "distinct rows do not hold this field: select it too, or sort by what is selected");
    }
}

/// A sort key that is not selected.
fn sorted_by_others(steps: &Steps) -> Option<Span> {
    let is_selected = |place: &str| steps.selected.iter().any(|(selected, _)| selected == place);
    steps.sorted.iter().find(|(place, _)| !is_selected(place)).map(|(_, span)| *span)
}
