//! What the compiler says of a query that no index serves, and what would help.

use super::super::implied::Known;
use super::super::text::Message;
use super::super::tree::{IndexDefinition, IndexMethod, Node, Operand, Operator, PathInfo, SortKey};
use super::containment::{is_entry_equality, is_in_map};
use super::{first_path, is_nested, same_path, uncovered};
use crate::model::SqlType;

pub(super) const fn unfiltered(query: &str, document: &str) -> Message {
    Message::new().text("compiled query `").text(query).text("` has no filter and reads every `").text(document).text(
        "`.\n  help: add `.filter(..)`, or an order that an index delivers together with `.limit(..)`, \
             or accept a sequential scan with `#[compiled_query(allow(scan))]`",
    )
}

pub(super) const fn uncovered_filter(
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

pub(super) const fn uncovered_order(query: &str, document: &str, key: &SortKey) -> Message {
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
