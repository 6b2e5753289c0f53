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

use super::implied::{Known, states};
use super::text::{Message, str_eq};
use super::tree::{
    Aggregation, IndexDefinition, IndexMethod, Node, Operand, Operator, Output, PathInfo, Place, Rows, SortKey,
    Statement, Take,
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

/// Fails to compile when no index delivers the order.
#[doc(hidden)]
#[track_caller]
pub const fn check_order(query: &str, document: &str, statement: &Statement, indexes: &[IndexDefinition]) {
    if !order_covered(statement, indexes) {
        let key = &statement.order[0];
        let message = uncovered_order(query, document, key);
        panic!("{}", message.as_str());
    }
}

const fn unfiltered(query: &str, document: &str) -> Message {
    Message::new().text("compiled query `").text(query).text("` has no filter and reads every `").text(document).text(
        "`.\n  help: add `.filter(..)`, or an order that an index delivers together with `.limit(..)`, \
             or accept a sequential scan with `#[compiled_query(allow(scan))]`",
    )
}

const fn uncovered_filter(
    query: &str,
    document: &str,
    path: &PathInfo,
    filter: &Node,
    indexes: &[IndexDefinition],
) -> Message {
    let message = Message::new()
        .text("compiled query `")
        .text(query)
        .text("` filters `")
        .text(document)
        .text("` by `")
        .path(path)
        .text("`, which no declared index covers.\n  help: ");
    if let Some(index) = partial_index(filter, path, indexes) {
        let message = message.text("`").text(index.name).text(if let Node::Everything = index.condition {
            "` holds no soft-deleted documents: leave out `include_deleted()` and `only_deleted()`"
        } else {
            "` does not hold all documents: put its condition into the filter, with the same literals"
        });
        return message.text(", or accept a sequential scan with `#[compiled_query(allow(scan))]`");
    }
    if is_hopeless(filter, path) {
        let message =
            message.text("no index serves this condition: put one that an index serves beside it with `&&`, ");
        let message = if is_hopeless_and_fixed(filter, path) {
            message.text("declare one over the documents that fulfil it with `#[document(index(.., where(|c| ..)))]`, ")
        } else {
            message
        };
        return message.text("or accept a sequential scan with `#[compiled_query(allow(scan))]`");
    }
    let message = if let Some(kind) = text_index(filter, path) {
        message
            .text("put `#[document(")
            .text(kind)
            .text("(")
            .path(path)
            .text("))]` on the struct `")
            .text(document)
            .text("`")
    } else if needs_gin(filter, path) {
        message.text("put `#[document(gin)]` on the struct `").text(document).text("`")
    } else if is_nested(path) {
        message.text("put `#[document(index(").path(path).text("))]` on the struct `").text(document).text("`")
    } else {
        message.text("put `#[document(index)]` on the field `").path(path).text("`")
    };
    message.text(", or accept a sequential scan with `#[compiled_query(allow(scan))]`")
}

const fn uncovered_order(query: &str, document: &str, key: &SortKey) -> Message {
    Message::new()
        .text("compiled query `")
        .text(query)
        .text("` sorts `")
        .text(document)
        .text("` by `")
        .path(key.path)
        .text("`, which no declared index delivers in that order.\n  help: put `#[document(index(.., ")
        .path(key.path)
        .text(if key.descending { " desc" } else { "" })
        .text("))]` on the struct `")
        .text(document)
        .text("`, with the fields that the filter compares by `==` before it, or accept a sort with `#[compiled_query(allow(sort))]`")
}

/// Fails to compile when the order goes by the rank in a search that is not there.
#[doc(hidden)]
#[track_caller]
pub const fn check_rank(filter: &Node, order: &[SortKey]) {
    let mut i = 0;
    while i < order.len() {
        assert!(
            !matches!(order[i].path.place, Place::Rank) || searches(filter),
            "an order by `rank()` goes by the words of a `search` in the filter, and there is none.\n  \
             help: add `.filter(|c| c.search(words))`, or sort by a field"
        );
        i += 1;
    }
}

const fn searches(node: &Node) -> bool {
    match node {
        Node::And(a, b) | Node::Or(a, b) => searches(a) || searches(b),
        Node::Not(inner) | Node::Optional(_, inner) => searches(inner),
        Node::Search(..) => true,
        _ => false,
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

/// True for a value in a map, or below one.
pub(crate) const fn is_in_map(path: &PathInfo) -> bool {
    match path.parent {
        Some(parent) => matches!(path.place, Place::Entry) || is_in_map(parent),
        None => false,
    }
}

/// True for an equality with a value in a map, which can be written as containment.
pub(crate) const fn is_entry_equality(path: &PathInfo, operator: Operator, operand: Operand) -> bool {
    let with_value = matches!(operator, Operator::Equal) && !matches!(operand, Operand::Field(_));
    with_value && is_in_map(path) && keeps_its_json_form(path.sql_type)
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

/// A partial index of the kind that the condition at `path` needs.
const fn partial_index<'i>(
    filter: &Node,
    path: &PathInfo,
    indexes: &'i [IndexDefinition],
) -> Option<&'i IndexDefinition> {
    let mut i = 0;
    while i < indexes.len() {
        let index = &indexes[i];
        let fits = match index.method {
            IndexMethod::Gin => needs_gin(filter, path),
            _ => {
                same_path(index.keys[0].path, path) && {
                    let alone = IndexDefinition { condition: &Node::Everything, not_deleted: false, ..*index };
                    match uncovered(filter, &[alone], &Known::living(filter)) {
                        Some(other) => !same_path(other, path),
                        None => true,
                    }
                }
            }
        };
        if fits && (index.not_deleted || !matches!(index.condition, Node::Everything)) {
            return Some(index);
        }
        i += 1;
    }
    None
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

/// True when what blocks the condition at `path` is the want of a GIN index.
const fn needs_gin(node: &Node, path: &PathInfo) -> bool {
    match node {
        Node::And(a, b) | Node::Or(a, b) => needs_gin(a, path) || needs_gin(b, path),
        Node::Contains(other, ..) | Node::Any(other, _) | Node::HasEntry(other, ..) => same_path(other, path),
        Node::Compare(other, operator, operand) => {
            is_entry_equality(other, *operator, *operand) && same_path(other, path)
        }
        _ => false,
    }
}

/// The index kind that would serve the text operator which blocks the condition at `path`, if one would.
const fn text_index(node: &Node, path: &PathInfo) -> Option<&'static str> {
    match node {
        Node::And(a, b) | Node::Or(a, b) => match text_index(a, path) {
            Some(kind) => Some(kind),
            None => text_index(b, path),
        },
        Node::Compare(_, _, Operand::Field(_)) => None,
        Node::Compare(other, operator, _) if same_path(other, path) => match operator {
            Operator::StartsWith => Some("text_pattern"),
            Operator::Like | Operator::ILike | Operator::EndsWith | Operator::ContainsText => Some("trigram"),
            _ => None,
        },
        _ => None,
    }
}

/// True when no index that can be declared would serve the condition at `path`.
const fn is_hopeless(node: &Node, path: &PathInfo) -> bool {
    match node {
        Node::And(a, b) | Node::Or(a, b) => is_hopeless(a, path) || is_hopeless(b, path),
        Node::Not(inner) | Node::Optional(_, inner) => same_path(first_path(inner), path),
        Node::Compare(other, Operator::NotEqual | Operator::Regex, _)
        | Node::Compare(other, _, Operand::Field(_))
        | Node::Length(other, ..)
        | Node::HasKey(other, _) => same_path(other, path),
        Node::Compare(other, operator, operand) if is_in_map(other) => {
            !is_entry_equality(other, *operator, *operand) && same_path(other, path)
        }
        Node::OneOf(other, _) | Node::IsNull(other) | Node::IsSome(other) => {
            (is_in_map(other) || matches!(other.sql_type, SqlType::Json)) && same_path(other, path)
        }
        _ => false,
    }
}

/// True when such a condition could be that of a partial index.
const fn is_hopeless_and_fixed(node: &Node, path: &PathInfo) -> bool {
    match node {
        Node::And(a, b) | Node::Or(a, b) => is_hopeless_and_fixed(a, path) || is_hopeless_and_fixed(b, path),
        _ => is_hopeless(node, path) && is_fixed(node),
    }
}

/// True when an index's `where` may say the same.
const fn is_fixed(node: &Node) -> bool {
    match node {
        Node::And(a, b) | Node::Or(a, b) => is_fixed(a) && is_fixed(b),
        Node::Not(inner) => is_fixed(inner),
        Node::IsNull(path) | Node::IsSome(path) | Node::OneOf(path, Operand::InlineList(_)) => !is_in_map(path),
        Node::Compare(path, _, value) | Node::Length(path, _, value) | Node::HasKey(path, value) => {
            !is_in_map(path) && matches!(value, Operand::Inline(_) | Operand::Field(_))
        }
        _ => false,
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

/// True when SQL turns values of this type into the JSON that serde writes; for times and decimals it does not.
pub(crate) const fn keeps_its_json_form(sql_type: SqlType) -> bool {
    matches!(sql_type, SqlType::Text | SqlType::Int | SqlType::Float | SqlType::Bool | SqlType::Uuid | SqlType::Numeric)
}

/// True when a condition on an element can be written as containment: equalities of different keys of the element.
pub(crate) const fn is_containment(node: &Node) -> bool {
    match node {
        Node::And(a, b) => is_containment(a) && is_containment(b) && !share_a_key(a, b),
        Node::Compare(_, _, Operand::Field(_)) => false,
        Node::Compare(path, Operator::Equal, _) => {
            let has_fixed_key = path.parent.is_some() && path.computed_key.is_none();
            keeps_its_json_form(path.sql_type) && has_fixed_key && !is_nested(path)
        }
        _ => false,
    }
}

const fn share_a_key(a: &Node, b: &Node) -> bool {
    match a {
        Node::And(left, right) => share_a_key(left, b) || share_a_key(right, b),
        Node::Compare(path, ..) => pins(b, path),
        _ => false,
    }
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

/// True when the condition leaves one value for the id.
const fn pins_the_id(node: &Node) -> bool {
    match node {
        Node::And(a, b) => pins_the_id(a) || pins_the_id(b),
        Node::Compare(_, _, Operand::Field(_)) => false,
        Node::Compare(path, Operator::Equal, _) => is_id(path),
        _ => false,
    }
}

const fn order_covered(statement: &Statement, indexes: &[IndexDefinition]) -> bool {
    let order = statement.order;
    // groups and distinct rows are put in order after they were made
    if !matches!(statement.rows, Rows::Each)
        || order.is_empty()
        || is_id(order[0].path)
        || pins_the_id(statement.filter)
    {
        return true;
    }
    if let Place::Rank = order[0].path.place {
        return true; // it can only be computed
    }
    let known = Known::of(statement);
    let mut i = 0;
    while i < indexes.len() {
        if known.is_held_by(&indexes[i]) && delivers(&indexes[i], statement.filter, order) {
            return true;
        }
        i += 1;
    }
    false
}

/// True when reading this index gives the rows in order.
const fn delivers(index: &IndexDefinition, filter: &Node, order: &[SortKey]) -> bool {
    if !matches!(index.method, IndexMethod::BTree) {
        return false;
    }
    let mut pinned = 0;
    while pinned < index.keys.len() && pins(filter, index.keys[pinned].path) {
        pinned += 1;
    }
    if index.unique && pinned == index.keys.len() {
        return true;
    }
    let (mut i, mut at) = (0, pinned);
    let mut reversed = false;
    while i < order.len() {
        // what is the same everywhere needs no order
        if pins(filter, order[i].path) {
            i += 1;
            continue;
        }
        if i > 0 && is_id(order[i].path) {
            return true;
        }
        if at >= index.keys.len() || !same_path(index.keys[at].path, order[i].path) {
            return false;
        }
        let (key, wanted) = (&index.keys[at], &order[i]);
        if at == pinned {
            reversed = key.descending != wanted.descending;
        }
        if (key.descending != wanted.descending) != reversed {
            return false;
        }
        // read backwards, an index gives its nulls at the other end
        if wanted.path.nullable && (key.nulls_first != wanted.nulls_first) != reversed {
            return false;
        }
        (i, at) = (i + 1, at + 1);
    }
    true
}
