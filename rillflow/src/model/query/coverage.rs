//! Index coverage: whether declared indexes can serve a query, decided while it compiles.
//!
//! - `&&` is covered when either side is, `||` when both are; `!`, `!=`, a comparison of two fields, the length of a
//!   list, a map's keys, regular expressions and conditions that may be left out never are.
//! - `starts_with` needs a `text_pattern` index; `like`, `ilike`, `ends_with` and `contains_text` need a `trigram` one.
//! - A comparison, `one_of` or null test needs an index that begins with its field; the id is one.
//! - `contains`, `has_entry`, an equality with a value in a map, and `any` of equalities, need `#[document(gin)]`.
//! - An order must follow the keys of an index, after those that the filter pins to one value, all in its directions
//!   or all reversed. The id may end it. A query that finds one row at most may sort as it likes.
//! - A partial index counts when the filter implies its condition, with literals; where the filter says that condition in
//!   the same words, the index serves it by itself.
//! - A query without a filter reads everything, unless it asks for existence only, or has an order that an index
//!   delivers and a limit that ends it.

mod containment;
mod order;
mod refusal;

pub(crate) use self::containment::{is_containment, is_entry_equality, is_in_map, keeps_its_json_form};
use self::order::order_covered;
pub use self::order::{check_order, check_rank};
use self::refusal::{uncovered_filter, unfiltered};
use super::implied::{Known, states};
use super::text::str_eq;
use super::tree::{
    Aggregation, IndexDefinition, IndexMethod, Node, Operand, Operator, Output, PathInfo, Place, Rows, Statement, Take,
};
use crate::model::SqlType;

/// Fails to compile when no index covers the filter. `sort_allowed`: an order without index was accepted.
#[doc(hidden)]
#[track_caller]
pub const fn check_filter(
    query: &str,
    document: &str,
    statement: &Statement,
    indexes: &[IndexDefinition],
    sort_allowed: bool,
) {
    if let Node::Everything = statement.filter {
        if !ends_early(statement, indexes, sort_allowed) {
            let message = unfiltered(query, document);
            panic!("{}", message.as_str());
        }
    } else if let Some(path) = uncovered(statement.filter, indexes, &Known::of(statement)) {
        let message = uncovered_filter(query, document, path, statement.filter, indexes);
        panic!("{}", message.as_str());
    }
}

/// True when `b` names the same place as `a`.
pub(super) const fn same_path(a: &PathInfo, b: &PathInfo) -> bool {
    match (a.parent, b.parent) {
        (None, None) => true,
        (Some(above_a), Some(above_b)) => same_key(a, b) && same_path(above_a, above_b),
        _ => false,
    }
}

const fn same_key(a: &PathInfo, b: &PathInfo) -> bool {
    match (a.computed_key, b.computed_key) {
        (None, None) => str_eq(a.key, b.key),
        (Some(Operand::Numbered(a, ..)), Some(Operand::Numbered(b, ..))) => a == b,
        _ => false,
    }
}

const fn is_nested(path: &PathInfo) -> bool {
    match path.parent {
        Some(parent) => parent.parent.is_some(),
        None => false,
    }
}

const fn is_id(path: &PathInfo) -> bool {
    matches!(path.place, Place::Id)
}

/// True when an unfiltered query does not have to read everything. An order that no index delivers is reported as
/// such, so here it counts as delivered, unless sorting was allowed.
const fn ends_early(statement: &Statement, indexes: &[IndexDefinition], sort_allowed: bool) -> bool {
    if !matches!(statement.rows, Rows::Each) {
        return false;
    }
    let sorted_by_index = !statement.order.is_empty() && (!sort_allowed || order_covered(statement, indexes));
    match (statement.output, statement.take) {
        (Output::Exists, _) => true,
        // the least and the greatest uuid are found by their text
        (Output::OfAll(Aggregation::Min | Aggregation::Max, path), _) => {
            begins_an_index(path, indexes, &Known::of(statement)) && !matches!(path.sql_type, SqlType::Uuid)
        }
        (_, Take::NumberedPage(_)) => false,
        (_, Take::Page(_)) => statement.order.is_empty() || sorted_by_index,
        (_, Take::First) => sorted_by_index,
        _ => sorted_by_index && statement.limit.is_some(),
    }
}

/// True when an ordered index begins with this field.
pub(super) const fn begins_an_index(path: &PathInfo, indexes: &[IndexDefinition], known: &Known<'_>) -> bool {
    is_id(path) || has_index(path, IndexMethod::BTree, indexes, known)
}

const fn has_gin(indexes: &[IndexDefinition], known: &Known<'_>) -> bool {
    let mut i = 0;
    while i < indexes.len() {
        if matches!(indexes[i].method, IndexMethod::Gin) && known.is_held_by(&indexes[i]) {
            return true;
        }
        i += 1;
    }
    false
}

/// True when a partial index is over just the documents that fulfil the condition.
const fn is_an_index(node: &Node, indexes: &[IndexDefinition], known: &Known<'_>) -> bool {
    let mut i = 0;
    while i < indexes.len() {
        let index = &indexes[i];
        if matches!(index.method, IndexMethod::BTree) && states(node, index.condition) && known.is_held_by(index) {
            return true;
        }
        i += 1;
    }
    false
}

/// The field that keeps indexes from serving the condition, if one does.
const fn uncovered(node: &Node, indexes: &[IndexDefinition], known: &Known<'_>) -> Option<&'static PathInfo> {
    if is_an_index(node, indexes, known) {
        return None;
    }
    let (path, covered) = match node {
        Node::Everything => return None,
        Node::And(a, b) => {
            return match (uncovered(a, indexes, known), uncovered(b, indexes, known)) {
                (Some(path), Some(_)) => Some(path),
                _ => None,
            };
        }
        Node::Or(a, b) => {
            return match uncovered(a, indexes, &known.within(a)) {
                Some(path) => Some(path),
                None => uncovered(b, indexes, &known.within(b)),
            };
        }
        Node::Not(inner) => return Some(first_path(inner)),
        Node::Compare(path, _, Operand::Field(_)) => (path, false),
        Node::Compare(path, operator, operand) if is_in_map(path) => {
            (path, has_gin(indexes, known) && is_entry_equality(path, *operator, *operand))
        }
        Node::Compare(path, operator, operand) => (path, serves(path, *operator, *operand, indexes, known)),
        Node::Optional(_, inner) => return Some(first_path(inner)),
        Node::Length(path, ..) | Node::HasKey(path, _) => (path, false),
        Node::HasEntry(path, _, _, item) => (path, has_gin(indexes, known) && keeps_its_json_form(*item)),
        Node::OneOf(path, _) | Node::IsNull(path) | Node::IsSome(path) => (path, begins_an_index(path, indexes, known)),
        Node::Contains(path, _, item) => (path, has_gin(indexes, known) && keeps_its_json_form(*item)),
        // nobody can search without the index
        Node::Search(index, _) => (&index.keys[0].path, known.is_held_by(index)),
        Node::Any(path, inner) => (path, has_gin(indexes, known) && is_containment(inner)),
    };
    if covered { None } else { Some(path) }
}

/// The first field of a condition.
const fn first_path(node: &Node) -> &'static PathInfo {
    match node {
        Node::Everything => panic!("a condition names a field"),
        Node::And(a, _) | Node::Or(a, _) | Node::Not(a) | Node::Optional(_, a) => first_path(a),
        Node::Length(path, ..)
        | Node::HasKey(path, _)
        | Node::HasEntry(path, ..)
        | Node::Compare(path, ..)
        | Node::OneOf(path, _)
        | Node::IsNull(path)
        | Node::IsSome(path)
        | Node::Contains(path, ..)
        | Node::Any(path, _) => path,
        Node::Search(index, _) => index.keys[0].path,
    }
}

/// True when an index of the kind that this comparison needs has the field.
const fn serves(
    path: &PathInfo,
    operator: Operator,
    operand: Operand,
    indexes: &[IndexDefinition],
    known: &Known<'_>,
) -> bool {
    match operator {
        Operator::StartsWith => has_index(path, IndexMethod::TextPattern, indexes, known),
        Operator::Like => {
            has_index(path, IndexMethod::Trigram, indexes, known)
                || (is_anchored(operand) && has_index(path, IndexMethod::TextPattern, indexes, known))
        }
        Operator::ILike | Operator::EndsWith | Operator::ContainsText => {
            has_index(path, IndexMethod::Trigram, indexes, known)
        }
        _ => operator.served_by_btree() && begins_an_index(path, indexes, known),
    }
}

/// True for a pattern, known here, that begins with a plain character.
const fn is_anchored(pattern: Operand) -> bool {
    match pattern {
        Operand::Inline(literal) => literal.len() > 2 && !matches!(literal.as_bytes()[1], b'%' | b'_' | b'\\'),
        _ => false,
    }
}

/// True when an index of this method begins with the field.
const fn has_index(path: &PathInfo, method: IndexMethod, indexes: &[IndexDefinition], known: &Known<'_>) -> bool {
    let mut i = 0;
    while i < indexes.len() {
        let index = &indexes[i];
        let same_method = index.method as u8 == method as u8 && !index.keys.is_empty();
        if same_method && same_path(index.keys[0].path, path) && known.is_held_by(index) {
            return true;
        }
        i += 1;
    }
    false
}

/// True when the condition leaves one value for this field.
const fn pins(node: &Node, path: &PathInfo) -> bool {
    match node {
        Node::And(a, b) => pins(a, path) || pins(b, path),
        Node::Compare(_, _, Operand::Field(_)) => false,
        Node::Compare(other, Operator::Equal, _) => same_path(other, path),
        _ => false,
    }
}
